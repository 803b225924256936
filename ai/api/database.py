"""
How async views reach the ORM: on a few threads whose connections stay open.

Django's own `sync_to_async` gives each request a new thread and with it a new connection. Here eight threads serve them
all, so a call costs one hop and no connection. Without an ASGI server behind it (WSGI, the test client) a call goes to
the calling thread, whose connection and open transaction it shares.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Barrier, Lock, local
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

THREADS = 8

#: A connection that was idle for longer may have been closed by the other side: it is tried before it is used.
IDLE_SECONDS = 1.0

P = ParamSpec("P")
T = TypeVar("T")

_lock = Lock()
_pools: list[ThreadPoolExecutor] = []
_this_thread = local()


async def run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function`, which may use the database, off the event loop and in the caller's context; what it returns."""
    if SyncToAsync.thread_sensitive_context.get(None) is None:
        return await sync_to_async(function)(*args, **kwargs)
    context = copy_context()
    return await asyncio.get_running_loop().run_in_executor(
        _pool(), lambda: context.run(_call, lambda: function(*args, **kwargs))
    )


def close() -> None:
    """Close every thread's connections, and end the threads; the next call starts new ones."""
    with _lock:
        pools, _pools[:] = list(_pools), []
    for pool in pools:
        # Each thread waits here for the others, so that none of them does the work of two.
        everybody = Barrier(THREADS)
        list(pool.map(_leave, [everybody] * THREADS))
        pool.shutdown()


def _leave(everybody: Barrier) -> None:
    everybody.wait()
    connections.close_all()


def _pool() -> ThreadPoolExecutor:
    if not _pools:
        with _lock:
            if not _pools:
                _pools.append(ThreadPoolExecutor(THREADS, thread_name_prefix="api-database"))
    return _pools[0]


def _call(function: Callable[[], T]) -> T:
    now = time.monotonic()
    idle = now - getattr(_this_thread, "used", now) > IDLE_SECONDS
    for connection in connections.all(initialized_only=True):
        if idle and connection.connection is not None and not connection.is_usable():
            connection.close()
    try:
        return function()
    finally:
        for connection in connections.all(initialized_only=True):
            _keep(connection)
        _this_thread.used = time.monotonic()


def _keep(connection: BaseDatabaseWrapper) -> None:
    """Keep the connection for this thread's next call, if it still works."""
    options: dict[str, Any] = connection.settings_dict.get("OPTIONS", {})
    if options.get("pool"):
        connection.close()  # back to the pool, for whoever needs it next
        return
    if connection.settings_dict["CONN_MAX_AGE"] == 0:
        connection.close_at = None  # "until the request ends" says nothing here
    connection.close_if_unusable_or_obsolete()
