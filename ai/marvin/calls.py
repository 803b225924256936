"""
Calls of language models on Django threads, which Marvin's orchestrator would write to Marvin's own database.

It offers no other way: its module's `DBLLMCall` is replaced by one that asks first whose thread it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from marvin.database import DBLLMCall
from marvin.engine import orchestrator
from marvin.thread import LLMCall, LLMCallMessages, get_current_thread
from marvin.thread import Message as MarvinMessage
from pydantic import TypeAdapter
from pydantic_ai.messages import SystemPromptPart
from pydantic_ai.usage import RunUsage

from ai import ids

if TYPE_CHECKING:
    from ai.marvin.history import Remembered
    from ai.marvin.threads import DjangoThread

Json = dict[str, Any]

_usage = TypeAdapter(RunUsage)


@dataclass(kw_only=True)
class DjangoLLMCall(LLMCall):
    """A turn of an agent on a Django thread: what its model read and said, and what that used."""

    thread: DjangoThread = field(repr=False)
    kept: Json = field(repr=False)

    async def get_messages_async(self) -> LLMCallMessages:
        """The prompt and the completion; messages that have been deleted since are left out."""
        every = await self.thread.remembered()
        system, until = self.kept["prompt"]
        said = set(self.kept["completion"])
        prompt = [each.message for each in every if str(each.message.id) == system] + _until(every, until)
        return LLMCallMessages(
            prompt=prompt, completion=[each.message for each in every if str(each.message.id) in said]
        )


def _until(every: Sequence[Remembered], last: str | None) -> list[MarvinMessage]:
    conversation = [each.message for each in every if not each.is_prompt]
    ends = [index for index, message in enumerate(conversation) if str(message.id) == last]
    return conversation[: ends[0] + 1] if ends else []


def to_keep(
    usage: RunUsage, prompt: Sequence[MarvinMessage], completion: Sequence[MarvinMessage], *, at: datetime
) -> Json:
    """The call as JSON. A prompt is Marvin's own and the conversation up to a message: its ids would fill the database."""
    own = [m for m in prompt[:1] if any(isinstance(part, SystemPromptPart) for part in m.message.parts)]
    rest = prompt[len(own) :]
    return {
        "id": str(ids.new()),
        "at": at.isoformat(),
        "usage": _usage.dump_python(RunUsage(**_counts(usage)), mode="json"),
        "prompt": [str(own[0].id) if own else None, str(rest[-1].id) if rest else None],
        "completion": [str(m.id) for m in completion],
    }


def _counts(usage: RunUsage) -> Json:
    """What both of pydantic-ai's classes of usage count."""
    names = ("requests", "tool_calls", "input_tokens", "cache_write_tokens", "cache_read_tokens", "output_tokens")
    return {name: getattr(usage, name) for name in names} | {"details": dict(usage.details)}


def revived(kept: Json, thread: DjangoThread) -> DjangoLLMCall:
    """The call that `to_keep` wrote."""
    usage: Any = _usage.validate_python(kept["usage"])
    at = datetime.fromisoformat(kept["at"])
    return DjangoLLMCall(id=UUID(kept["id"]), thread_id=thread.id, usage=usage, timestamp=at, thread=thread, kept=kept)


class _Calls:
    """Keeps calls on Django threads with their thread, and leaves all others to Marvin."""

    @staticmethod
    async def create(thread_id: str, usage: Any, **messages: Any) -> Any:
        from ai.marvin.threads import DjangoThread  # noqa: PLC0415 - it needs us first

        thread = get_current_thread()
        if isinstance(thread, DjangoThread):
            return await thread.keep_call(usage, messages["prompt_messages"], messages["completion_messages"])
        return await DBLLMCall.create(thread_id=thread_id, usage=usage, **messages)


def keep_out_of_marvins_database() -> None:
    """From now on Marvin asks us where calls belong."""
    vars(orchestrator)["DBLLMCall"] = _Calls
