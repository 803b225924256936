"""What other systems log as a model's input or output, as messages in chat format, whatever framework wrote it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ai.services.imports.drafts import Json
from ai.services.imports.outputs import messages as of_outputs

ROLES = {
    **dict.fromkeys(["user", "human", "HumanMessage", "HumanMessageChunk"], "user"),
    **dict.fromkeys(["assistant", "ai", "model", "AIMessage", "AIMessageChunk"], "assistant"),
    **dict.fromkeys(["system", "developer", "SystemMessage"], "system"),
    **dict.fromkeys(["tool", "function", "ToolMessage", "FunctionMessage"], "tool"),
}

#: Where messages, or else words, are found in an object, in the order of looking.
_MESSAGES = ("messages", "generations", "choices", "message", "chat_history")
_WORDS = (
    "input", "question", "query", "prompt", "user_input", "output", "answer", "response", "completion", "result", "text",
    "content", "value", "return",
)  # fmt: skip
MOST_LEVELS = 8


def messages(value: Any, role: str) -> list[Json]:
    """The messages in a value; words that say no role are `role`'s. Empty where there is nothing."""
    return _found(value, role, 0)


def _found(value: Any, role: str, level: int) -> list[Json]:
    if value is None or value in ("", [], {}) or level > MOST_LEVELS:
        return []
    if isinstance(value, str):
        return _of_text(value, role, level)
    if isinstance(value, list):
        return _of_list(value, role, level)
    if isinstance(value, dict):
        return _of_object(value, role, level)
    return [{"role": role, "content": json.dumps(value)}]


def _of_text(text: str, role: str, level: int) -> list[Json]:
    """The text itself, or what is in it where it is JSON that holds messages."""
    if text[:1] in {"{", "["}:
        try:
            inside = json.loads(text)
        except (ValueError, RecursionError):
            inside = None
        if found := _found(inside, role, level + 1) if _is_telling(inside) else []:
            return found
    return [{"role": role, "content": text}]


def _is_telling(value: Any) -> bool:
    """Whether a JSON text holds messages, rather than being what somebody said."""
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict) and ("role" in first or "lc" in first or any(name in first for name in _MESSAGES))


def _of_list(items: list[Any], role: str, level: int) -> list[Json]:
    if made := of_outputs(items):
        return made
    if not any(isinstance(item, dict | list) for item in items):
        return [{"role": role, "content": "\n".join(str(item) for item in items)}]
    return [message for item in items for message in _found(item, role, level + 1)]


def _of_object(value: Json, role: str, level: int) -> list[Json]:
    if message := _message(value):
        return [message]
    told = [message for name in _MESSAGES for message in _found(value.get(name), role, level + 1)]
    if told:
        return told + _asked(value, told, role, level)
    for name in _WORDS:
        if found := _found(value.get(name), role, level + 1):
            return found
    return [{"role": role, "content": json.dumps(value, ensure_ascii=False, sort_keys=True)}]


def _asked(value: Json, told: list[Json], role: str, level: int) -> list[Json]:
    """What stands beside a history: the question that is asked now."""
    if role != "user" or "chat_history" not in value:
        return []
    found = next((made for name in _WORDS if (made := _found(value.get(name), role, level + 1))), [])
    return [message for message in found if message not in told]


# -- One message


def _message(value: Json) -> Json | None:
    """An object that is a message: of the chat format, of LangChain as it is or as it is written out, or None."""
    if isinstance(value.get("kwargs"), dict) and isinstance(value.get("id"), list):
        return _of_langchain({**value["kwargs"], "type": str(value["id"][-1])})
    if isinstance(value.get("data"), dict) and value.get("type") in ROLES:
        return _of_langchain({**value["data"], "type": value["type"]})
    if value.get("role") in ROLES and value.keys() & {"content", "tool_calls", "parts"}:
        return _of_chat(value)
    if value.get("type") in ROLES and "content" in value:
        return _of_langchain(value)
    return None


def _of_chat(value: Json) -> Json:
    kept = {name: value[name] for name in ("name", "tool_call_id", "refusal", "reasoning_content") if value.get(name)}
    calls = _calls(value.get("tool_calls"))
    content = value.get("content", value.get("parts"))
    made = {"role": ROLES[value["role"]], "content": _content(content), **kept}
    return made | ({"tool_calls": calls} if calls else {})


def _of_langchain(value: Json) -> Json:
    kind = value["type"]
    more = value.get("additional_kwargs")
    role = ROLES.get(kind, "user")
    calls = _calls(value.get("tool_calls")) or _calls(more.get("tool_calls") if isinstance(more, dict) else None)
    made: Json = {"role": role, "content": _content(value.get("content"))}
    if calls and role == "assistant":
        made |= {"content": made["content"] or None, "tool_calls": calls}
    if value.get("tool_call_id"):
        made["tool_call_id"] = str(value["tool_call_id"])
    return made | ({"name": str(value["name"])} if value.get("name") else {})


def _content(given: Any) -> Any:
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, list) and all(isinstance(part, str | dict) for part in given):
        return given
    return json.dumps(given, ensure_ascii=False)


def _calls(given: Any) -> list[Json]:
    """The calls of tools, in OpenAI's form or LangChain's."""
    return [made for item in given if (made := _call(item))] if isinstance(given, Iterable) else []


def _call(item: Any) -> Json | None:
    if not isinstance(item, dict):
        return None
    function = item.get("function")
    named = function if isinstance(function, dict) else item
    name = named.get("name")
    if not isinstance(name, str):
        return None
    arguments = named.get("arguments", named.get("args"))
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
    return {"id": str(item.get("id") or ""), "type": "function", "function": {"name": name, "arguments": text}}
