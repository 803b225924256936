"""Both sides of a thread at the beginning of a sync: what is here, what was known of the remote, and who speaks for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import monotonic
from uuid import UUID

from django.db.models import Q

from ai.exceptions import InvalidInput, NotFound
from ai.models import ChatThread, Message, SyncedMessage, ThreadSync
from ai.models.connections import Address, chosen
from ai.models.remotes import address_of, kind_of
from ai.remote.plan import Local

KEPT_SECONDS = 5.0


@dataclass(frozen=True)
class Side:
    """A thread, what is known of its remote side, and where that lives."""

    thread: ChatThread
    known: ThreadSync
    """Unsaved before the first sync."""
    remote_id: str
    kind: str
    address: Address
    connection_id: UUID | None

    @property
    def is_linked(self) -> bool:
        """Whether the thread's facts say that all is well."""
        return self.known.is_read and not self.known.last_error and self.known.connection_id == self.connection_id


class Choices:
    """Which connection is whose, and how it is reached: asked of the database again every few seconds."""

    def __init__(self) -> None:
        self._found: dict[tuple[UUID | None, UUID | None], tuple[float, UUID, Address]] = {}

    def of(self, tenant_id: UUID | None, connection_id: UUID | None) -> tuple[UUID, Address] | None:
        """The connection of that id, else the tenant's default or only one; None where there is none.

        Raises:
            Misconfigured: its key cannot be read.
        """
        key = (tenant_id, connection_id)
        known = self._found.get(key)
        if known is not None and monotonic() - known[0] < KEPT_SECONDS:
            return known[1:]
        connection = chosen(tenant_id, connection_id)
        if connection is None:
            return None
        self._found[key] = (monotonic(), connection.pk, connection.address())
        return self._found[key][1:]


def load(thread_id: UUID, choices: Choices, *, connection_id: UUID | None = None) -> Side:
    """The thread's side; `connection_id` is for threads that have no connection of their own.

    Raises:
        NotFound: there is no such thread.
        InvalidInput: it has no remote side.
        Misconfigured: there is nothing to reach the remote side with.
    """
    thread: ChatThread | None = ChatThread.objects.filter(pk=thread_id).first()
    if thread is None:
        raise NotFound("The thread is gone.")
    kind = kind_of(thread.external_id, thread.source)
    if not kind:
        raise InvalidInput("The thread has no remote side: its external ID names no remote conversation.")
    known = ThreadSync.objects.of(thread.pk) or ThreadSync(thread_id=thread.pk, tenant_id=thread.tenant_id)
    found = choices.of(thread.tenant_id, known.connection_id or connection_id)
    chosen_id, address = found if found else (None, address_of(thread)[0])
    return Side(thread, known, str(thread.external_id), kind, address, chosen_id)


def base_of(side: Side) -> list[SyncedMessage]:
    """Both versions of each message at the last sync; nothing is asked for before the first one."""
    return [] if side.known._state.adding else SyncedMessage.objects.of_thread(side.thread.pk)


def local_of(side: Side) -> list[Local]:
    """The thread's messages; nothing is asked for where there are none."""
    return list(_local(side.thread, Q())) if side.thread.message_count else []


def both_of(side: Side, remote_ids: Iterable[str]) -> tuple[list[SyncedMessage], list[Local]]:
    """What concerns one page of a first reading: rows and messages with these ids, and messages that have none yet.

    A thread of a hundred pages would else be loaded a hundred times.
    """
    if side.known._state.adding and not side.thread.message_count:
        return [], []
    wanted = list(remote_ids)
    rows = SyncedMessage._base_manager.filter(thread_id=side.thread.pk)
    base = list(rows.filter(Q(external_id__in=wanted) | Q(external_id__isnull=True)).order_by("pk"))
    keys = [row.message_id for row in base]
    which = Q(external_id__in=wanted) | Q(external_id__isnull=True) | Q(pk__in=keys)
    return base, list(_local(side.thread, which))


def _local(thread: ChatThread, which: Q) -> Iterator[Local]:
    rows = Message._base_manager.filter(which, thread_id=str(thread.pk)).order_by("sequence", "pk")
    for key, external_id, message in rows.values_list("pk", "external_id", "message").iterator(chunk_size=500):
        yield Local(key, external_id or "", message if isinstance(message, dict) else {})
