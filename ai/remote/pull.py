"""Writing here what a plan says, in one transaction: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from ai import dispatch
from ai.exceptions import Conflict, NotFound
from ai.models import ChatThread, DataSource, Message, SyncConflict, SyncedMessage, ThreadSync
from ai.models.conflicts import Decision
from ai.models.sync_states import SyncState
from ai.models.threads import NEW_NAME
from ai.remote import digests, files
from ai.remote.plan import Dispute, Local, Plan
from ai.remote.port import Json, RemoteMessage
from ai.remote.results import Result
from ai.remote.sides import Side
from ai.stores.content import text_of
from ai.stores.serialization import to_serializable


@dataclass
class Arrival:
    """What comes with a plan: the files by their remote ids, and the thread's new facts."""

    files: Mapping[str, DataSource] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


def apply(side: Side, plan: Plan, arrival: Arrival, *, at: datetime) -> Result:
    """Write what came; what it was.

    Raises:
        NotFound: the thread is gone.
        Conflict: somebody else changed the thread or synced it meanwhile; look again.
    """
    try:
        with transaction.atomic():
            return _apply(side, plan, arrival, at=at)
    except IntegrityError as error:
        raise Conflict("Somebody else synced this thread at the same time.") from error


def _apply(side: Side, plan: Plan, arrival: Arrival, *, at: datetime) -> Result:
    thread = ChatThread.objects.locked(side.thread.pk)
    if thread is None:
        raise NotFound("The thread is gone.")
    if thread.external_id != side.remote_id:
        raise Conflict("The thread got another remote side meanwhile.")
    if plan.add and thread.message_count and SyncedMessage.objects.being_sent(thread.pk) - plan.known_sending:
        raise Conflict("Somebody else is sending messages, which may be among those that came.")
    result = Result(added=len(plan.add), changed=len(plan.rewrite), files=len(arrival.files))
    _add(thread, plan.add, arrival.files, at=at)
    _link(thread, plan.link)
    for row, message in plan.arrived:
        _arrived(row, message)
    _rewrite(plan.rewrite, arrival.files, at=at)
    SyncedMessage.objects.agree({row.pk: (there, here) for row, there, here in plan.agree})
    SyncedMessage.objects.forget(row.pk for row in plan.forget)
    result.conflicts = _disputes(thread, plan.disputes, at=at)
    _keep(side, arrival, at=at)
    result.state = _settle(thread, plan, at=at)
    return result


def _add(
    thread: ChatThread, messages: Sequence[RemoteMessage], found: Mapping[str, DataSource], *, at: datetime
) -> None:
    if not messages:
        return
    first = thread.last_sequence + 1
    rows = []
    for number, each in enumerate(messages):
        said = files.renamed(to_serializable(each.message), found)
        row = Message.objects.build(
            said, thread=thread, sequence=first + number, at=each.created or at, external_id=each.id
        )
        rows.append(row)
    Message.objects.insert_many(rows)
    SyncedMessage.objects.add(_synced(thread, row, each) for row, each in zip(rows, messages, strict=True))
    values: dict[str, Any] = {"last_sequence": thread.last_sequence + len(rows)}
    latest = max((each.created for each in messages if each.created), default=at)
    values["last_activity_at"] = latest if not thread.message_count else max(latest, thread.last_activity_at)
    if found:
        before = list((thread.data or {}).get("document_ids") or [])
        every = list(dict.fromkeys([*before, *(file.file_id for file in found.values())]))
        thread.attach([file.attachment_reference() for file in found.values()], document_ids=every)
        values |= {"data": thread.data, "has_files": True}
    ChatThread.objects.grow(thread, count=len(rows), **values)
    _name(thread, rows, at=at)


def _synced(thread: ChatThread, row: Message, message: RemoteMessage) -> SyncedMessage:
    return SyncedMessage(
        tenant_id=thread.tenant_id,
        thread_id=thread.pk,
        message_id=row.pk,
        external_id=message.id,
        remote_digest=message.digest,
        local_digest=message.digest if row.message == message.message else digests.of(row.message),
    )


def _name(thread: ChatThread, rows: Sequence[Message], *, at: datetime) -> None:
    """A thread without a title is called after what its user first said, until a better one is found."""
    if thread.name not in {NEW_NAME, "", None} or thread.tenant_id is None:
        return
    first = next((row for row in rows if row.role == "user"), None)
    text = text_of(first.message).strip() if first else ""
    if text:
        ChatThread.objects.rename(thread.pk, name=ChatThread.objects.trim_message(text), at=at)
        dispatch.title_thread(name=text, thread_id=thread.pk, tenant_id=thread.tenant_id)


def _link(thread: ChatThread, pairs: Sequence[tuple[Local, RemoteMessage]]) -> None:
    rows = []
    for local, message in pairs:
        Message.objects.link(local.pk, external_id=message.id)
        rows.append(
            SyncedMessage(
                tenant_id=thread.tenant_id,
                thread_id=thread.pk,
                message_id=local.pk,
                external_id=message.id,
                remote_digest=message.digest,
                local_digest=local.digest,
            )
        )
    SyncedMessage.objects.add(rows)


def _arrived(row: SyncedMessage, message: RemoteMessage) -> None:
    """A message that was being sent when its worker died had arrived."""
    digests_ = {"remote_digest": message.digest, "local_digest": row.local_digest}
    if SyncedMessage.objects.sent(row.pk, external_id=message.id, **digests_):
        Message.objects.link(row.message_id, external_id=message.id)


def _rewrite(
    changes: Sequence[tuple[Local, RemoteMessage, SyncedMessage]], found: Mapping[str, DataSource], *, at: datetime
) -> None:
    versions = {}
    for local, message, row in changes:
        said = merged(local.message, files.renamed(to_serializable(message.message), found))
        changed = Message.objects.replace(local.pk, said, at=at)
        versions[row.pk] = (message.digest, _digest(changed, said))
    SyncedMessage.objects.agree(versions)


def _digest(row: Message | None, said: Json) -> str:
    return digests.of(row.message if row else said)


def merged(ours: Json, theirs: Json) -> Json:
    """Our message saying what the remote's says; what only we know of it stays."""
    told = ("content", "annotations", "tool_calls", "attachments", "metadata", "items", "reasoning_content")
    return {**{name: value for name, value in ours.items() if name not in told}, **theirs}


def _disputes(thread: ChatThread, disputes: Sequence[Dispute], *, at: datetime) -> int:
    return sum(SyncConflict.objects.note(conflict_of(thread, each), at=at) for each in disputes)


def conflict_of(thread: ChatThread, dispute: Dispute) -> SyncConflict:
    """The row for a person to decide on."""
    local, remote = dispute.local, dispute.remote
    message_id = local.pk if local else dispute.base.message_id if dispute.base else None
    return SyncConflict(
        tenant_id=thread.tenant_id,
        thread_id=thread.pk,
        message_id=message_id,
        external_id=dispute.external_id,
        kind=dispute.kind,
        local=local.message if local else None,
        remote=to_serializable(remote.message) if remote else None,
        local_digest=local.digest if local else "",
        remote_digest=remote.digest if remote else "",
    )


def _keep(side: Side, arrival: Arrival, *, at: datetime) -> None:
    known = side.known
    facts: dict[str, Any] = {"synced_at": at, "last_error": "", "connection_id": side.connection_id, **arrival.facts}
    if arrival.files:
        facts["files"] = {**known.files, **{file.file_id: key for key, file in arrival.files.items()}}
    ThreadSync.objects.keep(side.thread, at=at, is_new=known._state.adding, **facts)
    for name, value in facts.items():
        setattr(known, name, value)
    known._state.adding = False


def _settle(thread: ChatThread, plan: Plan, *, at: datetime) -> str:
    """Close what the sides agree about again, and say how the thread stands."""
    still = 0
    if thread.sync_state == SyncState.CONFLICT or plan.disputes:
        rows = SyncConflict.objects.open_of(thread.pk)
        for row in rows.filter(external_id__in=plan.settled):
            SyncConflict.objects.settle(row.pk, decision=Decision.AGREED, by="", at=at)
        still = rows.count()
    is_behind = plan.is_behind or plan.send or plan.edit
    state = SyncState.CONFLICT if still else SyncState.CHANGED if is_behind else SyncState.LINKED
    ChatThread.objects.set_sync_state(thread.pk, state=state, at=at)
    return str(state)
