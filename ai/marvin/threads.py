"""A Marvin thread whose messages and calls of language models live in our tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import marvin
from django.utils import timezone
from marvin.engine.llm import PydanticAIMessage, UserMessage
from marvin.engine.orchestrator import Orchestrator
from marvin.thread import LLMCall
from marvin.thread import Message as MarvinMessage
from pydantic_ai.messages import ModelResponse
from pydantic_ai.usage import RunUsage

from ai import ids, tenancy
from ai.exceptions import InvalidInput, OutsideTenant
from ai.marvin import calls
from ai.marvin.history import Remembered
from ai.marvin.messages import Situation, entries
from ai.marvin.place import Place
from ai.marvin.store import Store, Written

calls.keep_out_of_marvins_database()

MOST_ID_CHARACTERS = 255


class DjangoThread(marvin.Thread):
    """A conversation of ours for Marvin: what was said in it, whoever said it, is what its agents read.

    What an agent says is written when its turn is over. People read the question, the calls of tools with their results,
    and the answer; Marvin's own prompts are kept beside them (see `ai.marvin.messages`).
    """

    def __init__(
        self,
        id: UUID | str | None = None,  # noqa: A002 - Marvin's name
        parent_id: str | None = None,
        *,
        tenant_id: UUID | str | None = None,
        user_id: str | None = None,
    ) -> None:
        """The thread is made with its first message, when there is none.

        Args:
            id: our UUID, its public form, or any text of your own, at most 255 characters; None means a new thread.
            parent_id: the thread that this one serves, for whoever asks.
            tenant_id: whose it is; the tenant in scope when it is not said.
            user_id: the person who writes in it, noted when the thread is made.

        Raises:
            OutsideTenant: no tenant is in scope and none is said, or the one that is said is not in scope.
            InvalidInput: the id is empty, too long, or has a NUL in it.
        """
        text = ids.public("thread", ids.new()) if id is None else str(id)
        if not text or len(text) > MOST_ID_CHARACTERS or "\x00" in text:
            raise InvalidInput(f"A thread's id has between 1 and {MOST_ID_CHARACTERS} characters.", param="id")
        super().__init__(id=text, parent_id=parent_id)
        self.store = Store(text, tenant_id=_tenant(tenant_id), user_id=user_id)
        self.place = Place()
        self.run_id: UUID | None = None
        self._rows: list[Written] = []
        self._answers: list[ModelResponse] = []

    async def _ensure_thread_exists(self) -> None:
        """Nothing to do: the thread is made with its first message."""

    # -- Messages

    async def add_messages_async(self, messages: list[PydanticAIMessage]) -> list[MarvinMessage]:
        """Add messages to the end; those of an agent's turn belong to its run."""
        return await self._add(messages, aside=False)

    async def add_info_message_async(self, message: Any, prefix: str | None = None) -> MarvinMessage:
        """Add a note to the model, which people read as a system message."""
        added = await self._add([UserMessage(f"{prefix or 'INFO MESSAGE'}: {message}")], aside=True)
        return added[0]

    async def _add(self, messages: Sequence[PydanticAIMessage], *, aside: bool) -> list[MarvinMessage]:
        added, at = list(entries(messages, self._situation(), aside=aside)), timezone.now()
        if added:
            self._rows += await self.place.run(lambda: self.store.write(added, run_id=self.run_id, at=at))
            self._answers += [each.message for each in added if isinstance(each.message, ModelResponse)]
        return [MarvinMessage(id=each.id, thread_id=self.id, message=each.message, created_at=at) for each in added]

    def _situation(self) -> Situation | None:
        running = Orchestrator.get_current()
        if running is None or running.thread is not self:
            return None
        tasks = running.get_all_tasks()
        tools: list[Any] = [tool for task in tasks for tool in task.get_end_turn_tools()]
        tools += [tool for task in tasks for tool in task.get_actor().get_end_turn_tools()]
        return Situation(tuple(tasks), frozenset(getattr(tool, "__name__", type(tool).__name__) for tool in tools))

    def written(self) -> tuple[list[Written], list[ModelResponse]]:
        """The rows written since this was last asked, and what models answered, whether people read it or not."""
        taken = self._rows, self._answers
        self._rows, self._answers = [], []
        return taken

    async def remembered(self) -> list[Remembered]:
        """Every message of the thread, in order, Marvin's own prompts too."""
        return await self.place.run(self.store.remembered)

    async def get_messages_async(
        self,
        before: datetime | None = None,
        after: datetime | None = None,
        limit: int | None = None,
        include_system_messages: bool = False,
    ) -> list[MarvinMessage]:
        """The messages in order, the last `limit` of them; Marvin's own prompts only with `include_system_messages`."""
        found = [
            each.message
            for each in await self.remembered()
            if (include_system_messages or not each.is_prompt) and _within(each.message.created_at, before, after)
        ]
        return found if limit is None else found[max(0, len(found) - limit) :]

    # -- Calls of language models

    async def keep_call(
        self, usage: RunUsage, prompt: Sequence[MarvinMessage], completion: Sequence[MarvinMessage]
    ) -> LLMCall:
        """Keep what a turn of an agent used."""
        kept = calls.to_keep(usage, prompt, completion, at=timezone.now())
        await self.place.run(lambda: self.store.keep_call(kept))
        return calls.revived(kept, self)

    async def get_llm_calls_async(
        self, before: datetime | None = None, after: datetime | None = None, limit: int | None = None
    ) -> list[LLMCall]:
        """The calls in order, the first `limit` of them."""
        every = [calls.revived(kept, self) for kept in await self.place.run(self.store.calls)]
        found: list[LLMCall] = [call for call in every if _within(call.timestamp, before, after)]
        return found if limit is None else found[:limit]


def _tenant(tenant_id: UUID | str | None) -> UUID:
    if tenant_id is None:
        return tenancy.get_current_tenant_id()
    wanted = UUID(str(tenant_id))
    try:
        scope = tenancy.current()
    except OutsideTenant:  # a script that names its tenant needs no scope
        return wanted
    if not scope.allows(wanted):
        raise OutsideTenant(f"The tenant {wanted} is not in scope here.")
    return wanted


def _within(at: datetime, before: datetime | None, after: datetime | None) -> bool:
    return (before is None or at < before) and (after is None or at > after)
