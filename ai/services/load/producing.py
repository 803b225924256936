"""Making the rows, in a process of its own while the database writes the batch before.

This module imports nothing of the app at the top: a new process imports it before Django is set up.
"""

from __future__ import annotations

import gc
import multiprocessing
import random
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from ai.services.load.batches import Batch

#: Messages written in one transaction, give or take a thread.
BATCH_MESSAGES = 20_000

#: From here on a second process pays.
PARALLEL_MESSAGES = 50_000

THREADS_PER_USER = 20


@dataclass(frozen=True)
class Order:
    """What to make. Equal orders make equal rows."""

    threads: int
    messages: int
    seed: int
    until: datetime
    tenants: tuple[tuple[UUID, float], ...]
    vendor: str


def batches(order: Order) -> Iterator[Batch]:
    """The rows of the order."""
    from ai.services.load import people
    from ai.services.load.batches import Batch
    from ai.services.load.rows import Rows
    from ai.services.load.sizes import plan

    rng = random.Random(f"{order.seed}/{order.threads}/{order.messages}/{order.until.isoformat()}")  # noqa: S311
    users = max(order.threads // THREADS_PER_USER, 1)
    stamp = _stamp if order.vendor == "postgresql" else _stamp_without_zone
    rows = Rows(rng, tenants=order.tenants, users=users, until=order.until, stamp=stamp)
    calendar = people.Calendar(order.until)
    for number, (kind, count) in enumerate(plan(threads=order.threads, messages=order.messages, rng=rng)):
        rows.add(kind, messages=count, at=calendar.at((number + rng.random()) / order.threads))
        if len(rows.batch.messages) >= BATCH_MESSAGES:
            yield rows.batch
            rows.batch = Batch()
    if rows.batch.threads:
        yield rows.batch


@contextmanager
def producer(order: Order) -> Iterator[Iterator[Batch]]:
    """`batches`, made ahead by another process where that pays."""
    if order.messages < PARALLEL_MESSAGES:
        yield batches(order)
        return
    context: Any = multiprocessing.get_context(_start_method())
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_produce, args=(order, sending), daemon=True)
    process.start()
    sending.close()
    try:
        with _without_collection():
            yield _received(receiving)
    finally:
        process.terminate()
        process.join()
        receiving.close()


def _start_method() -> str:
    """Forking saves two seconds; it is safe where there is no other thread that may hold a lock."""
    return "fork" if sys.platform == "linux" and threading.active_count() == 1 else "spawn"


def _received(receiving: Connection) -> Iterator[Batch]:
    while True:
        try:
            batch = receiving.recv()
        except EOFError:
            raise RuntimeError("The process that makes the rows died; its error is above.") from None
        if batch is None:
            return
        yield batch


@contextmanager
def _without_collection() -> Iterator[None]:
    """Rows hold no cycles, and looking for some among a hundred thousand tuples takes long."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _produce(order: Order, sending: Any) -> None:
    """The other process's work."""
    import django

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the first process's to handle
    django.setup()  # does nothing in a fork
    gc.disable()
    for batch in batches(order):
        sending.send(batch)
    sending.send(None)


def _stamp(at: datetime) -> str:
    return at.isoformat(" ")


def _stamp_without_zone(at: datetime) -> str:
    return at.isoformat(" ")[:-6]
