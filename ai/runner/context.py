"""From stored messages to what pydantic-ai sends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from pydantic_ai.builtin_tools import CodeExecutionTool
from pydantic_ai.messages import (
    BinaryContent,
    ImageUrl,
    InstructionPart,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from ai.runner.calls import FILE_SEARCH
from ai.stores.content import role_of, text_of, tool_calls_of

Json = dict[str, Any]

NO_RESULT = "No result was recorded for this call."

#: OpenAI's names and ours, in pydantic-ai's.
_SETTINGS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_tokens": "max_tokens",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "logit_bias": "logit_bias",
    "parallel_tool_calls": "parallel_tool_calls",
    "timeout": "timeout",
    "reasoning_effort": "thinking",
}
_EFFORTS = {"none": False, "max": "xhigh"}


def messages(history: Iterable[Json]) -> list[ModelMessage]:
    """Messages of OpenAI's chat format as pydantic-ai's.

    Providers refuse a tool call without a result and a result without its call. History has both (an interrupted run, an
    import): the missing result is filled in, the orphaned one is given as text.
    """
    build = _Builder()
    for message in history:
        build.add(message)
    return build.finish()


class _Builder:
    def __init__(self) -> None:
        self._messages: list[ModelMessage] = []
        self._request: list[ModelRequestPart] = []
        self._open: dict[str, str] = {}

    def add(self, message: Json) -> None:
        role = role_of(message)
        if role == "tool":
            self._request.append(self._result(message))
            return
        self._fill()
        if role == "assistant":
            self._answer(message)
        elif role in {"system", "developer"}:
            self._request.append(SystemPromptPart(text_of(message)))
        else:
            self._request.append(UserPromptPart(user_content(message)))

    def finish(self) -> list[ModelMessage]:
        self._fill()
        self._flush()
        return self._messages

    def _result(self, message: Json) -> ModelRequestPart:
        call_id, text = str(message.get("tool_call_id") or ""), text_of(message)
        name = self._open.pop(call_id, "")
        if not name:
            return UserPromptPart(f"Result of {message.get('name') or 'a tool'}: {text}")
        return ToolReturnPart(name, text, call_id)

    def _fill(self) -> None:
        self._request += [ToolReturnPart(name, NO_RESULT, call_id) for call_id, name in self._open.items()]
        self._open = {}

    def _flush(self) -> None:
        if self._request:
            self._messages.append(ModelRequest(parts=self._request))
            self._request = []

    def _answer(self, message: Json) -> None:
        text, calls = text_of(message), tool_calls_of(message)
        parts: list[ModelResponsePart] = [TextPart(text)] if text else []
        parts += [ToolCallPart(call["name"], call["arguments"], call["id"]) for call in calls]
        if parts:
            self._flush()
            self._messages.append(ModelResponse(parts=parts))
            self._open = {call["id"]: call["name"] for call in calls}


def user_content(message: Json) -> str | list[UserContent]:
    """What a user said: text as it is, images as images, attachments by name."""
    content = message.get("content")
    parts: list[UserContent] = []
    if isinstance(content, list):
        for part in content:
            parts += _part(part)
    else:
        parts.append(text_of(message))
    parts += _attachments(message)
    if all(isinstance(part, str) for part in parts):
        return "\n\n".join(str(part) for part in parts if part)
    return parts


def _part(part: Any) -> list[UserContent]:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "image_url":
        return [_image(part)]
    if kind == "image_file":
        file = part.get("image_file") or {}
        if isinstance(part.get("image"), bytes):
            return [BinaryContent(part["image"], media_type=str(part.get("mime_type")))]
        return [f"[Image: {part.get('name') or file.get('file_id') or 'unknown file'}]"]
    if kind in {"file", "input_file"}:
        file = part.get("file") or part
        return [f"[File: {file.get('filename') or file.get('file_id') or 'unknown'}]"]
    text = text_of({"content": [part]})
    return [text] if text else []


def _image(part: Json) -> UserContent:
    image = part.get("image_url")
    url = str((image.get("url") if isinstance(image, dict) else image) or "")
    if url.startswith("data:"):
        try:
            return BinaryContent.from_data_uri(url)
        except ValueError:
            return "[An image that cannot be read]"
    return ImageUrl(url) if url.startswith(("https://", "http://")) else "[An image without an address]"


def _attachments(message: Json) -> list[UserContent]:
    given = message.get("attachments")
    found = [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
    return [part for item in found for part in _attachment(item)]


def _attachment(item: Json) -> list[UserContent]:
    """A file by what `ai.runner.attachments` found of it: its text, its picture, or else its name."""
    name = item.get("name") or item.get("filename") or item.get("file_id") or item.get("id")
    if isinstance(item.get("text"), str):
        return [f"[Attached file: {name}]\n{item['text']}\n[End of {name}]"]
    if isinstance(item.get("image"), bytes):
        return [BinaryContent(item["image"], media_type=str(item.get("mime_type")))]
    return [f"[Attached file: {name}]"] if name else []


def parameters(
    tools: Iterable[Json], *, instructions: str = "", response_format: Any = None, schema_output: bool = False
) -> ModelRequestParameters:
    """Tools, instructions and the format of the answer.

    Args:
        tools: function tools, and `code_interpreter` for a provider that runs code itself.
        schema_output: whether the model can be held to a JSON schema; one that cannot is told the schema.
    """
    offered = list(tools)
    given = ModelRequestParameters(
        function_tools=[tool for tool in map(_tool, offered) if tool],
        builtin_tools=[CodeExecutionTool()] if any(tool.get("type") == "code_interpreter" for tool in offered) else [],
        instruction_parts=[InstructionPart(content=instructions)] if instructions else [],
    )
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    if kind == "json_schema":
        asked = response_format.get("json_schema") or {}
        given.output_mode = "native" if schema_output else "prompted"
        given.output_object = OutputObjectDefinition(
            json_schema=asked.get("schema") or {},
            name=asked.get("name"),
            description=asked.get("description"),
            strict=asked.get("strict"),
        )
    elif kind == "json_object":  # asked of vendors that know it; as at OpenAI, the prompt has to ask for JSON too
        given.output_mode, given.prompted_output_template = "prompted", False
        given.output_object = OutputObjectDefinition(json_schema={"type": "object"})
    return given


def _tool(tool: Json) -> ToolDefinition | None:
    function = tool.get("function")
    if not isinstance(function, dict) or not function.get("name"):
        return None
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    return ToolDefinition(
        name=str(function["name"]),
        description=function.get("description"),
        parameters_json_schema=schema,
        # Unset, pydantic-ai would make fitting schemas strict; a replay sends what the original sent.
        strict=bool(function.get("strict")),
    )


def model_settings(
    settings: Mapping[str, Any], *, max_tokens: int | None = None, called: bool = False
) -> ModelSettings:
    """A run's settings; what the model has no knob for, its adapter ignores.

    `max_tokens` is what is left of the run's own budget. A model that was made to call a tool and has (`called`) is free
    to answer: a choice that held for every round would never end.
    """
    found: dict[str, Any] = {ours: settings[name] for name, ours in _SETTINGS.items() if settings.get(name) is not None}
    if "thinking" in found:
        found["thinking"] = _EFFORTS.get(found["thinking"], found["thinking"])
    if stop := settings.get("stop"):
        found["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    choice = _tool_choice(settings.get("tool_choice"))
    if choice and not (called and choice != "none"):
        found["tool_choice"] = choice
    if max_tokens is not None:
        found["max_tokens"] = min(max_tokens, found.get("max_tokens", max_tokens))
    return cast(ModelSettings, found)


def _tool_choice(choice: Any) -> Any:
    if isinstance(choice, dict):
        name = (choice.get("function") or {}).get("name")
        name = FILE_SEARCH if choice.get("type") == FILE_SEARCH else name
        return [name] if name else None
    return choice if choice in {"none", "required"} else None


def with_answers(answer: ModelResponse, results: Sequence[tuple[str, str, str]]) -> list[ModelMessage]:
    """What the model said, and the results of its calls as (name, output, call id)."""
    return [answer, ModelRequest(parts=[ToolReturnPart(name, output, call_id) for name, output, call_id in results])]
