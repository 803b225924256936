"""Deciding conflicts: which side of a message stands. Nothing is overwritten before somebody says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from ai.exceptions import Conflict, InvalidInput, NotFound
from ai.models import ChatThread, Message, SyncConflict, SyncedMessage
from ai.models.conflicts import ConflictKind, Decision
from ai.models.sync_states import SyncState
from ai.remote import digests
from ai.remote.pull import merged
from ai.services import actors, audit, permissions

CHANGED = "The message was changed since. Sync the thread again, then decide."


@transaction.atomic
def decide(*, conflict_id: UUID, decision: str, by: Any, at: datetime) -> SyncConflict:
    """Let one side of a message stand: "remote" changes it here, "local" leaves it as it is here.

    Neither changes anything on the remote at once; what the remote takes goes with the next sync.

    Raises:
        Forbidden.
        NotFound: there is no such conflict.
        InvalidInput: the decision is none.
        Conflict: somebody decided before, or the message was changed since.
    """
    permissions.require(by, "ai.decide_syncconflict")
    if decision not in {Decision.REMOTE, Decision.LOCAL}:
        raise InvalidInput("Say “remote” or “local”.")
    conflict: SyncConflict | None = SyncConflict.objects.filter(pk=conflict_id).first()
    if conflict is None:
        raise NotFound("There is no such conflict.")
    if ChatThread.objects.locked(conflict.thread_id) is None:
        raise NotFound("The thread is gone.")
    if not SyncConflict.objects.settle(conflict.pk, decision=decision, by=actors.name_of(by), at=at):
        raise Conflict("Somebody has decided this already.")
    _take_remote(conflict, by=by, at=at) if decision == Decision.REMOTE else _keep_local(conflict)
    _stand(conflict.thread_id, at=at)
    audit.record("sync_conflict.decided", target=conflict, by=by, at=at, decision=decision, kind=conflict.kind)
    conflict.refresh_from_db()
    return conflict


def _take_remote(conflict: SyncConflict, *, by: Any, at: datetime) -> None:
    acts: dict[str, Callable[[], None]] = {
        ConflictKind.DELETED_THERE: lambda: _delete(conflict, by=by),
        ConflictKind.DELETED_HERE: lambda: _bring_back(conflict, at=at),
    }
    acts.get(conflict.kind, lambda: _rewrite(conflict, at=at))()


def _rewrite(conflict: SyncConflict, *, at: datetime) -> None:
    message = _current(conflict)
    changed = Message.objects.replace(message.pk, merged(message.message or {}, conflict.remote or {}), at=at)
    _agree(conflict, message.pk, conflict.remote_digest, digests.of(changed.message if changed else None))


def _delete(conflict: SyncConflict, *, by: Any) -> None:
    permissions.require(by, "ai.delete_message")
    Message.objects.delete_message(_current(conflict))
    SyncedMessage.objects.forget(_rows(conflict).values_list("pk", flat=True))


def _bring_back(conflict: SyncConflict, *, at: datetime) -> None:
    """The message again, at the end: its old place is not known any more."""
    rows = Message.objects.append(
        [conflict.remote or {}], thread_id=conflict.thread_id, external_id=conflict.external_id, at=at
    )
    SyncedMessage.objects.forget(_rows(conflict).values_list("pk", flat=True))
    _agree(conflict, rows[0].pk, conflict.remote_digest, digests.of(rows[0].message))


def _keep_local(conflict: SyncConflict) -> None:
    if conflict.kind in {ConflictKind.DELETED_HERE, ConflictKind.DELETED_THERE}:
        row = _rows(conflict).first()
        if row is not None:  # an empty digest says that the side has none, and that this is meant
            SyncedMessage.objects.agree({row.pk: (conflict.remote_digest, conflict.local_digest)})
        return
    message = _current(conflict)
    is_small = digests.of_words(conflict.local) == digests.of_words(conflict.remote)
    # What the remote can take, its metadata, still counts as changed here, and goes with the next sync.
    here = "" if is_small and conflict.kind == ConflictKind.EDITED_BOTH else conflict.local_digest
    _agree(conflict, message.pk, conflict.remote_digest, here)


def _current(conflict: SyncConflict) -> Message:
    """The message here, as it was when the conflict was found.

    Raises:
        Conflict: it was changed or deleted since.
    """
    message = Message.objects.select_for_update().filter(pk=conflict.message_id).first()
    if message is None or digests.of(message.message) != conflict.local_digest:
        raise Conflict(CHANGED)
    found: Message = message
    return found


def _rows(conflict: SyncConflict) -> Any:
    return SyncedMessage.objects.filter(thread_id=conflict.thread_id, external_id=conflict.external_id)


def _agree(conflict: SyncConflict, message_id: UUID, there: str, here: str) -> None:
    row = _rows(conflict).first()
    if row is not None:
        SyncedMessage.objects.agree({row.pk: (there, here)})
        return
    row = SyncedMessage(
        tenant_id=conflict.tenant_id,
        thread_id=conflict.thread_id,
        message_id=message_id,
        external_id=conflict.external_id,
        remote_digest=there,
        local_digest=here,
    )
    SyncedMessage.objects.add([row])


def _stand(thread_id: UUID, *, at: datetime) -> None:
    """With nothing left to decide the thread is linked; the next sync sees what is still to be sent."""
    if not SyncConflict.objects.open_of(thread_id).exists():
        rows = ChatThread.objects.filter(pk=thread_id, sync_state=SyncState.CONFLICT)
        if rows.exists():
            ChatThread.objects.set_sync_state(thread_id, state=SyncState.LINKED, at=at)
