"""Writing made-up conversations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connections, router, transaction

from ai import tenancy
from ai.exceptions import Conflict, InvalidInput
from ai.models import ChatThread, Feedback, Message, Run, RunStep, Tenant, ThreadTag, bulk
from ai.services import audit, permissions
from ai.services.load import batches, people
from ai.services.load.batches import Batch
from ai.services.load.producing import Order, producer


@dataclass(frozen=True)
class Loaded:
    """How much was written."""

    threads: int = 0
    messages: int = 0
    runs: int = 0
    feedback: int = 0

    def plus(self, batch: Batch) -> Loaded:
        """This and the batch."""
        return Loaded(
            self.threads + len(batch.threads),
            self.messages + len(batch.messages),
            self.runs + len(batch.runs),
            self.feedback + len(batch.feedback),
        )


def generate(
    *,
    threads: int,
    messages: int,
    seed: int,
    until: datetime,
    by: Any,
    tenant: str | None = None,
    progress: Callable[[Loaded], None] = lambda loaded: None,
) -> Loaded:
    """Write `threads` made-up threads with `messages` messages together, over the 90 days before `until`.

    The same arguments give the same rows, apart from the tenants' ids. A batch is written in one transaction, and
    `progress` is told after each: whoever interrupts finds whole threads only.

    Args:
        tenant: the name of the tenant that gets all of it; three made-up tenants by default.

    Raises:
        InvalidInput: fewer messages than threads.
        Conflict: this was generated before.
    """
    permissions.require(by, "ai.import_chatthread")
    if not 0 < threads <= messages:
        raise InvalidInput("Ask for at least one thread, and for at least one message a thread.")
    vendor = connections[router.db_for_write(ChatThread)].vendor
    order = Order(threads, messages, seed, until.astimezone(UTC), _tenants(tenant), vendor)
    loaded = Loaded()
    with tenancy.everything(reason="generated load"), bulk.many_rows(), producer(order) as produced:
        for batch in produced:
            _write(batch)
            loaded = loaded.plus(batch)
            progress(loaded)
        audit.record("load.generated", by=by, at=until, threads=threads, messages=messages, seed=seed)
    return loaded


@transaction.atomic
def _write(batch: Batch) -> None:
    if ChatThread.objects.filter(pk=UUID(batch.threads[0][0])).exists():
        raise Conflict("This load is there already; choose another --seed.")
    bulk.insert(ChatThread, batches.THREAD_FIELDS, batch.threads)
    bulk.insert(ThreadTag, batches.TAG_FIELDS, batch.tags)
    bulk.insert(Message, batches.MESSAGE_FIELDS, batch.messages)
    bulk.insert(Run, batches.RUN_FIELDS, batch.runs)
    bulk.insert(RunStep, batches.STEP_FIELDS, batch.steps)
    bulk.insert(Feedback, batches.FEEDBACK_FIELDS, batch.feedback)
    bulk.insert_search_documents(batch.documents)


def _tenants(name: str | None) -> tuple[tuple[UUID, float], ...]:
    shares = [(name, 1.0)] if name else people.TENANTS
    return tuple((Tenant.objects.named(tenant).pk, share) for tenant, share in shares)
