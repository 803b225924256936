"""From events to the callbacks of the OpenAI SDK's handlers, with the snapshots that they get."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ai.events import StreamEvent

#: A callback's name and its arguments.
Callback = tuple[str, tuple[Any, ...]]


class View(dict[str, Any]):
    """JSON that also reads like the SDK's objects: `delta.value` is `delta["value"]`."""

    def __getattr__(self, name: str) -> Any:
        try:
            return view(self[name])
        except KeyError:
            raise AttributeError(name) from None


def view(value: Any) -> Any:
    """`value` with attributes instead of keys."""
    if isinstance(value, dict):
        return value if isinstance(value, View) else View(value)
    return [view(item) for item in value] if isinstance(value, list) else value


class Callbacks:
    """Knows which callbacks an event means, given those before it."""

    def __init__(self) -> None:
        self.message: View | None = None
        self.step: View | None = None
        self._text: View | None = None
        self._call: View | None = None

    def of(self, event: StreamEvent) -> Iterator[Callback]:
        """The callbacks for the next event, in the SDK's order."""
        yield "on_event", (event,)
        kind, _, what = event.name.removeprefix("thread.").rpartition(".")
        data = view(event.data)
        if kind == "message":
            yield from self._on_message(what, data)
        elif kind == "run.step":
            yield from self._on_step(what, data)
        elif event.name == "thread.run.expired":
            yield "on_timeout", ()
        elif event.name == "thread.run.failed":
            error = data.last_error or {}
            yield "on_exception", (RuntimeError(f"{error.get('code')}: {error.get('message')}"),)

    def _on_message(self, what: str, data: View) -> Iterator[Callback]:
        if what == "created":
            self.message = View(data)
            yield "on_message_created", (data,)
        elif what == "delta":
            yield from self._on_message_delta(data)
        elif what in {"completed", "incomplete"}:
            self.message = data
            if self._text is not None:
                yield "on_text_done", (self._text,)
                self._text = None
            yield "on_message_done", (data,)

    def _on_message_delta(self, data: View) -> Iterator[Callback]:
        piece = data.delta.content[0].text
        if self._text is None:
            self._text = View(value="", annotations=[])
            yield "on_text_created", (self._text,)
        self._text["value"] += piece.value
        if self.message is not None:
            self.message["content"] = [{"type": "text", "text": self._text}]
        yield "on_message_delta", (data.delta, self.message)
        yield "on_text_delta", (piece, self._text)

    def _on_step(self, what: str, data: View) -> Iterator[Callback]:
        if what == "created":
            self.step = View(data)
            yield "on_run_step_created", (data,)
        elif what == "delta":
            yield "on_run_step_delta", (data.delta, self.step)
            for call in data.delta.step_details.tool_calls:
                yield from self._on_call(call)
        elif what != "in_progress":
            self.step = data
            yield from self._call_over(data)
            yield "on_run_step_done", (data,)

    def _on_call(self, call: View) -> Iterator[Callback]:
        if self._call is None or self._call["index"] != call["index"]:
            yield from self._call_over(None)
            self._call = View(call, function=dict(call["function"]))
            yield "on_tool_call_created", (self._call,)
        else:
            self._call["function"]["arguments"] += call["function"].get("arguments") or ""
        yield "on_tool_call_delta", (call, self._call)

    def _call_over(self, step: View | None) -> Iterator[Callback]:
        if self._call is None:
            return
        call, self._call = self._call, None
        known = step["step_details"].get("tool_calls") or [] if step else []
        done = next((known_call for known_call in known if known_call["id"] == call["id"]), call)
        yield "on_tool_call_done", (view(done),)
