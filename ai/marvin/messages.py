"""
What Marvin adds to a conversation, and what people read of it.

Marvin wraps a question in a task, adds its own prompt at each turn, and ends a turn by a call of a tool. People read the
question, the calls of real tools with their results, and the answer; all of Marvin's own is kept beside them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any
from uuid import UUID

from marvin import Task
from marvin.database import message_adapter, serialize_message
from marvin.engine.llm import PydanticAIMessage
from marvin.utilities.types import as_classifier
from pydantic_ai.messages import (
    BinaryContent,
    ImageUrl,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from pydantic_core import to_json

from ai import ids

Json = dict[str, Any]

#: The tools by which Marvin's agents end a turn.
_END_TURN = re.compile(
    r"(?:MarkTask(?:Successful|Failed|Skipped)|delegate_to_actor|plan_subtasks)_\w+|EndTurn|PostMessage"
)

#: The task that `marvin.say` makes of a message that is in the thread already.
_SAY = "Respond to the user"


@dataclass(frozen=True)
class Entry:
    """A message of Marvin's, as it is kept, with the messages that people read of it."""

    message: PydanticAIMessage
    shown: tuple[Json, ...] = ()
    id: UUID = field(default_factory=ids.new)

    def kept(self) -> Json:
        """The message as JSON."""
        return {"id": str(self.id), "message": serialize_message(self.message)}

    def aloud(self) -> Entry:
        """The same, shown as a system message if nobody was to read it."""
        text = "\n\n".join(str(getattr(part, "content", "")) for part in self.message.parts)
        return self if self.shown else replace(self, shown=({"role": "system", "content": text},))


@dataclass(frozen=True)
class Situation:
    """The run that adds the messages: its tasks, and the tools by which its turns end."""

    tasks: tuple[Task[Any], ...] = ()
    endings: frozenset[str] = frozenset()

    def task_of(self, content: Any) -> Task[Any] | None:
        """The running task whose prompt this is."""
        return next((task for task in self.tasks if task.is_running() and task.get_prompt() == content), None)

    def ends_turn(self, name: str | None) -> bool:
        """Whether the tool ends a turn."""
        return bool(name) and (name in self.endings or bool(_END_TURN.fullmatch(str(name))))

    def task_ended_by(self, name: str) -> Task[Any] | None:
        """The task that this tool marks as ended."""
        return next((task for task in self.tasks if name.endswith(f"_{task.id}")), None)


def revived(kept: Json) -> PydanticAIMessage:
    """The message that `Entry.kept` wrote."""
    return message_adapter.validate_python(kept["message"])


def entries(messages: Sequence[PydanticAIMessage], situation: Situation | None, *, aside: bool) -> Iterator[Entry]:
    """The messages with what people read of them.

    Args:
        situation: the run that adds them; None when somebody's own code does.
        aside: they are notes to the model, which nobody said.
    """
    at = situation or Situation()
    for index, message in enumerate(messages):
        if isinstance(message, ModelResponse):
            after = messages[index + 1] if index + 1 < len(messages) else None
            yield Entry(message, tuple(_answer(message, after, at)))
        else:
            yield Entry(message, tuple(_request(message, at, inside=situation is not None, aside=aside)))


# -- What the model is told


def _request(message: ModelRequest, at: Situation, *, inside: bool, aside: bool) -> Iterator[Json]:
    for part in message.parts:
        match part:
            case SystemPromptPart(content=text):
                if not inside:
                    yield {"role": "system", "content": text}
            case UserPromptPart(content=content):
                yield from _user(content, at, role="system" if aside else "user")
            case ToolReturnPart():
                yield from _result(part, part.model_response_str(), at)
            case RetryPromptPart(tool_name=str()):
                yield from _result(part, part.model_response(), at)


def _user(content: str | Sequence[UserContent], at: Situation, *, role: str) -> Iterator[Json]:
    task = at.task_of(content)
    if task is not None:
        if task.instructions != _SAY:
            yield {"role": role, "content": _content([asked(task), *task.attachments])}
    else:
        yield {"role": role, "content": _content([content] if isinstance(content, str) else content)}


def asked(task: Task[Any]) -> str:
    """What a task asks, in its author's words."""
    context = "\n".join(f"{name}: {value}" for name, value in task.context.items())
    return f"{task.instructions}\n\n{context}" if context else task.instructions


def _content(parts: Iterable[UserContent]) -> str | list[Json]:
    found = [_part(part) for part in parts]
    if all(part["type"] == "text" for part in found):
        return "\n\n".join(part["text"] for part in found)
    return found


def _part(part: UserContent) -> Json:
    match part:
        case str():
            return {"type": "text", "text": part}
        case ImageUrl(url=url):
            return {"type": "image_url", "image_url": {"url": url}}
        case BinaryContent(data=data, media_type=kind) if part.is_image:
            return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{base64.b64encode(data).decode()}"}}
    return {"type": "text", "text": f"[{getattr(part, 'media_type', '') or type(part).__name__}]"}


def _result(part: ToolReturnPart | RetryPromptPart, text: str, at: Situation) -> Iterator[Json]:
    if not at.ends_turn(part.tool_name):
        yield {"role": "tool", "tool_call_id": part.tool_call_id, "name": part.tool_name, "content": text}


# -- What the model says


def _answer(message: ModelResponse, after: PydanticAIMessage | None, at: Situation) -> Iterator[Json]:
    calls = [part for part in message.parts if isinstance(part, ToolCallPart) and not at.ends_turn(part.tool_name)]
    text = "".join(part.content for part in message.parts if isinstance(part, TextPart))
    if not message.tool_calls and _was_refused(after, None):
        return  # it was told to say this by a call
    for part in message.tool_calls:
        if at.ends_turn(part.tool_name) and not _was_refused(after, part.tool_call_id):
            ending = _ending(part, at)
            text = text if ending in text else f"{text}\n\n{ending}".strip()
    if not text and not calls:
        return
    said: Json = {"role": "assistant", "content": text or None}
    if calls:
        said["tool_calls"] = [_call(part) for part in calls]
    if thought := "".join(part.content for part in message.parts if isinstance(part, ThinkingPart)):
        said["reasoning_content"] = thought
    yield said


def _was_refused(after: PydanticAIMessage | None, call_id: str | None) -> bool:
    retries = [part for part in after.parts if isinstance(part, RetryPromptPart)] if after else []
    return any(part.tool_call_id == call_id if call_id else part.tool_name is None for part in retries)


def _call(part: ToolCallPart) -> Json:
    return {
        "id": part.tool_call_id,
        "type": "function",
        "function": {"name": part.tool_name, "arguments": part.args_as_json_str()},
    }


def _ending(part: ToolCallPart, at: Situation) -> str:
    """What the call that ends a turn says to people: the result, or why there is none."""
    try:
        given = part.args_as_dict()
        if part.tool_name.startswith("MarkTaskFailed_"):
            return str(given.get("message") or "")
        if not part.tool_name.startswith("MarkTaskSuccessful_") or given.get("result") is None:
            return ""
        result, task = given["result"], at.task_ended_by(part.tool_name)
        if task is not None and task.is_classifier():
            labels: Any = task.result_type
            result = as_classifier(labels).validate(result)  # the model names a label by its number
    except ValueError:
        return ""
    if isinstance(result, Enum):
        result = result.value
    return result if isinstance(result, str) else to_json(result, fallback=str).decode()
