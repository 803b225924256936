"""The rows of one Marvin thread. Everything here makes queries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any
from uuid import UUID

from django.db import transaction
from marvin.engine.llm import PydanticAIMessage

from ai import ids, tenancy
from ai.marvin.history import KEY, Remembered, kept, remembered, with_more
from ai.marvin.messages import Entry
from ai.models import ChatThread, ForeignId, Message
from ai.stores.content import text_of
from ai.stores.serialization import to_serializable

Json = dict[str, Any]

#: A row, and the message of Marvin's that it shows.
Written = tuple[Message, PydanticAIMessage]

#: Who speaks in the name of a run.
_SPEAKERS = frozenset({"assistant", "tool"})


class Store:
    """Reads and writes the thread that a tenant knows by `id`."""

    def __init__(self, id: str, *, tenant_id: UUID, user_id: str | None = None) -> None:  # noqa: A002
        self.id, self.tenant_id, self.user_id = id, tenant_id, user_id

    def find(self) -> ChatThread | None:
        """The thread; None when there is none yet."""
        keys = ids.keys(self.tenant_id, self.id)
        with tenancy.scope(self.tenant_id):
            found = {thread.pk: thread for thread in ChatThread.objects.filter(pk__in=keys)}
        return next((found[key] for key in keys if key in found), None)

    def open(self, *, opening: str = "") -> ChatThread:
        """The thread, made when there is none; its title then follows from `opening`, what was first said.

        Raises:
            NotFound: the id is that of another tenant's thread.
        """
        if found := self.find():
            return found
        keys = ids.keys(self.tenant_id, self.id)
        with tenancy.scope(self.tenant_id), transaction.atomic():
            if len(keys) == 1:  # a text of somebody's own
                ForeignId.objects.adopt([self.id], tenant_id=self.tenant_id)
            return ChatThread.objects.get_or_add_thread(
                keys[0], self.tenant_id, tags=["chat", "agent"], name=opening or None, user_id=self.user_id
            )

    def write(self, added: Sequence[Entry], *, run_id: UUID | None, at: datetime) -> list[Written]:
        """Append messages; the rows that show them."""
        opening = next((text_of(shown) for each in added for shown in each.shown if shown["role"] == "user"), "")
        with tenancy.scope(self.tenant_id), transaction.atomic():
            thread = self.open(opening=opening)
            silent = list(takewhile(lambda each: not each.shown, added))
            if silent and not self._keep_with_last(thread, messages=[_kept(each) for each in silent]):
                # Nobody has said anything that it could be kept with: it is all there is to read.
                added, silent = [each.aloud() for each in added], []
            count = sum(len(each.shown) for each in added)
            if not count:
                return []
            first = ChatThread.objects.reserve(thread.pk, count=count, at=at)
            rows = _rows(added[len(silent) :], thread, first=first, run_id=run_id, at=at)
            Message.objects.insert(row for row, _ in rows)
        return rows

    def keep_call(self, call: Json) -> None:
        """Keep a call of a language model with the last message."""
        with tenancy.scope(self.tenant_id), transaction.atomic():
            self._keep_with_last(self.open(), calls=[call])

    def _keep_with_last(self, thread: ChatThread, **more: list[Json]) -> bool:
        """Whether there is a message to keep something with."""
        last = Message.objects.list_thread_messages(thread.pk).select_for_update().last()
        if last is not None:
            last.save_message_info({KEY: with_more(last, **more)})
        return last is not None

    def remembered(self) -> list[Remembered]:
        """Every message in order, Marvin's own prompts too."""
        thread = self.find()
        if thread is None:
            return []
        with tenancy.scope(self.tenant_id):
            return remembered(Message.objects.list_thread_messages(thread.pk), thread_id=self.id)

    def calls(self) -> list[Json]:
        """The calls of language models that were kept, in order."""
        thread = self.find()
        if thread is None:
            return []
        with tenancy.scope(self.tenant_id):
            rows = Message.objects.list_thread_messages(thread.pk).filter(data__has_key=KEY)
            return [call for row in rows for call in (kept(row) or {}).get("calls") or []]


def _kept(entry: Entry) -> Json:
    return to_serializable(entry.kept())


def _rows(
    added: Sequence[Entry], thread: ChatThread, *, first: int, run_id: UUID | None, at: datetime
) -> list[Written]:
    """Unsaved rows for what is shown; what is not is kept with the row before it."""
    rows: list[Written] = []
    for each in added:
        for shown in each.shown:
            row = Message.objects.build(
                to_serializable(shown),
                thread=thread,
                sequence=first + len(rows),
                at=at,
                run_id=run_id if shown["role"] in _SPEAKERS else None,
            )
            row.data = {KEY: {"messages": [], "calls": []}}
            rows.append((row, each.message))
        home, _ = rows[-max(1, len(each.shown))]
        if each.shown:
            home.pk = each.id
        assert home.data is not None  # noqa: S101 - set above
        home.data[KEY]["messages"].append(_kept(each))
    return rows
