"""Sending there what is only here. Each message is noted before it goes, so that it goes once whatever dies meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from asgiref.sync import sync_to_async
from django.db import transaction

from ai.exceptions import RemoteRefused
from ai.models import ChatThread, Message, SyncConflict, SyncedMessage, ThreadSync
from ai.models.conflicts import ConflictKind
from ai.models.sync_states import SyncState
from ai.remote import files, pull
from ai.remote.plan import Dispute, Local, Plan
from ai.remote.port import RemoteConversations, RemoteMessage
from ai.remote.results import Result
from ai.remote.sides import Side

Clock = Callable[[], datetime]

BUSY = "Another worker is sending to this thread."


async def send(side: Side, plan: Plan, remote: RemoteConversations, *, holder: str, now: Clock) -> Result:
    """Send the plan's messages and edits; what went. What another worker sends meanwhile is left to it.

    Raises:
        RemoteError: what had not gone by then is sent by the next sync.
    """
    result = Result()
    if not await sync_to_async(ThreadSync.objects.hold)(side.thread, holder=holder, at=now()):
        return Result(notes=[BUSY])
    try:
        for start in range(0, len(plan.send), remote.batch):
            result.sent += await _batch(side, plan.send[start : start + remote.batch], remote, now=now)
            await sync_to_async(ThreadSync.objects.hold)(side.thread, holder=holder, at=now())
        for local, message, row in plan.edit:
            await _edit(side, remote, local, message, row, result, now=now)
    finally:
        await sync_to_async(ThreadSync.objects.release)(side.thread.pk, holder=holder)
    result.state = await sync_to_async(stand)(side, plan, at=now())
    return result


async def _batch(side: Side, messages: Sequence[Local], remote: RemoteConversations, *, now: Clock) -> int:
    rows = await sync_to_async(_intend)(side, messages)
    wanted = [each for each in messages if each.pk in rows]
    if not wanted:
        return 0
    try:
        ids = await _files(side, wanted, remote, now=now)
        outgoing = [files.with_ids(each.message, ids) for each in wanted]
        made = await remote.append(side.remote_id, outgoing)
    except RemoteRefused:
        await sync_to_async(SyncedMessage.objects.forget)([row.pk for row in rows.values()])
        raise
    await sync_to_async(_sent)([(rows[each.pk], each, there) for each, there in zip(wanted, made, strict=True)])
    return len(wanted)


async def _files(side: Side, messages: Sequence[Local], remote: RemoteConversations, *, now: Clock) -> dict[str, str]:
    wanted = [key for each in messages for key in files.ids_in(each.message)]
    known: dict[str, str] = side.known.files or {}
    if not wanted:
        return known
    ids = await files.send(remote.line, wanted, tenant_id=side.thread.tenant_id, sent=known)
    if ids != known:
        side.known.files = ids
        await sync_to_async(ThreadSync.objects.keep)(side.thread, at=now(), files=ids)
    return ids


def _intend(side: Side, messages: Sequence[Local]) -> dict[object, SyncedMessage]:
    """Note what is about to be sent; message → its row. What somebody else sent by now is left out."""
    with transaction.atomic():
        thread = ChatThread.objects.locked(side.thread.pk)
        if thread is None or thread.external_id != side.remote_id:
            return {}
        mine = SyncedMessage.objects.filter(thread_id=thread.pk, message_id__in=[each.pk for each in messages])
        known = {row.message_id: row for row in mine}
        new = [
            SyncedMessage(tenant_id=thread.tenant_id, thread_id=thread.pk, message_id=each.pk, local_digest=each.digest)
            for each in messages
            if each.pk not in known
        ]
        SyncedMessage.objects.add(new)
        rows = {**{key: row for key, row in known.items() if not row.external_id}}
        fresh = SyncedMessage.objects.filter(thread_id=thread.pk, message_id__in=[row.message_id for row in new])
        return {**rows, **{row.message_id: row for row in fresh}}


def _sent(pairs: Sequence[tuple[SyncedMessage, Local, RemoteMessage]]) -> None:
    with transaction.atomic():
        for row, local, there in pairs:
            digests = {"remote_digest": there.digest, "local_digest": local.digest}
            if SyncedMessage.objects.sent(row.pk, external_id=there.id, **digests):
                Message.objects.link(local.pk, external_id=there.id)


async def _edit(
    side: Side,
    remote: RemoteConversations,
    local: Local,
    message: RemoteMessage,
    row: SyncedMessage,
    result: Result,
    *,
    now: Clock,
) -> None:
    """Make one change of ours there; where that cannot be, a person decides."""
    made = await remote.edit(side.remote_id, message.id, before=message.message, after=local.message)
    if made is not None:
        await sync_to_async(SyncedMessage.objects.agree)({row.pk: (made.digest, local.digest)})
        result.sent += 1
        return
    dispute = Dispute(ConflictKind.EDITED_HERE, message.id, local, message, row)
    result.conflicts += await sync_to_async(_dispute)(side, dispute, at=now())


def _dispute(side: Side, dispute: Dispute, *, at: datetime) -> bool:
    return SyncConflict.objects.note(pull.conflict_of(side.thread, dispute), at=at)


def stand(side: Side, plan: Plan, *, at: datetime) -> str:
    """How the thread stands after what went."""
    still = SyncConflict.objects.open_of(side.thread.pk).exists()
    state = SyncState.CONFLICT if still else SyncState.CHANGED if plan.is_behind else SyncState.LINKED
    ChatThread.objects.set_sync_state(side.thread.pk, state=state, at=at)
    return str(state)
