"""Where the queries of a Marvin run are made: on the connection that its caller uses, whoever drives the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from asgiref.sync import sync_to_async
from django.db import connection

T = TypeVar("T")


class Place:
    """The place of queries for what is made here.

    `marvin.run` drives an event loop on its caller's thread, which waits for it meanwhile: queries are then made on that
    thread, so that they see the caller's transaction and their connection is looked after as the caller's is. Under a loop
    that somebody else drives, they are made where Django makes those of asynchronous code.
    """

    def __init__(self) -> None:
        self._home = None if _in_loop() else threading.get_ident()

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns."""
        if self._home == threading.get_ident():
            return _beside_the_loop(work)
        return await sync_to_async(_mended)(work)


def _in_loop() -> bool:
    return asyncio._get_running_loop() is not None


def _beside_the_loop(work: Callable[[], T]) -> T:
    """Django refuses queries where a loop runs; here it stands still while they are made."""
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        return work()
    finally:
        asyncio._set_running_loop(loop)


def _mended(work: Callable[[], T]) -> T:
    """`work`, on a connection that is not one the database has since closed: no request looks after this thread's."""
    if connection.errors_occurred:
        connection.close_if_unusable_or_obsolete()
    return work()
