"""Who answers a model's tool calls: the recording in a replay, the run's own search and registered functions, else the client."""

from __future__ import annotations

import json
import logging
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ai import tools
from ai.exceptions import AIError
from ai.runner.calls import FILE_SEARCH, Answer
from ai.stores.content import text_of, tool_calls_of
from ai.tools.registry import Registry, Tool, canonical

if TYPE_CHECKING:
    from collections.abc import Container

    from ai.runner.file_search import FileSearch, Found

__all__ = ["Answer", "Live", "Recorded", "ToolBox"]

log = logging.getLogger(__name__)

Json = dict[str, Any]

#: A call's name, its arguments as JSON text, and its output.
Recording = tuple[str, str, str]

UNRECORDED = (
    "No recorded result exists for this call, and tools are not executed in a replay. "
    "Go on without it, and say what you could not find out."
)


class ToolBox(Protocol):
    """Answers tool calls."""

    async def answer(self, name: str, arguments: str) -> Answer | None:
        """The result of calling `name` with JSON text; None when the run's client has to answer."""
        ...


class Live:
    """A normal run: its files are searched, registered functions are called, everything else is left to the client."""

    def __init__(
        self,
        registry: Registry = tools.default,
        *,
        allowed: Container[str] | None = None,
        search: FileSearch | None = None,
    ) -> None:
        """`allowed` are the registered functions that this run's tenant may call, None for all of them."""
        self._registry, self._allowed, self._search = registry, allowed, search
        #: What searches of this run found, for citing it.
        self.founds: list[Found] = []

    async def answer(self, name: str, arguments: str) -> Answer | None:
        """Call the function; what goes wrong is told to the model, which can mend it or go on without."""
        if name == FILE_SEARCH and self._search is not None:
            return await self._find(self._search, arguments)
        tool = self._registry.get(name)
        if tool is None or (self._allowed is not None and name not in self._allowed):
            return None
        return await self._call(tool, name, arguments)

    async def _find(self, search: FileSearch, arguments: str) -> Answer:
        try:
            found = await search.search(arguments)
        except AIError as error:
            return Answer(f"Error: {error}", failed=True, found=())
        except Exception as error:
            log.exception("The search in files failed.")
            return Answer(f"Error: the search failed ({type(error).__name__}).", failed=True, found=())
        self.founds.append(found)
        return Answer(found.output, found=tuple(found.results))

    async def _call(self, tool: Tool, name: str, arguments: str) -> Answer:
        try:
            return Answer(await tool.call(arguments))
        except TimeoutError:
            return Answer(f"Error: {name} took longer than {tool.seconds:g} seconds.", failed=True)
        except AIError as error:
            return Answer(f"Error: {error}", failed=True)
        except Exception as error:
            log.exception("The tool %s failed.", name)
            return Answer(f"Error: {name} failed ({type(error).__name__}).", failed=True)


class Recorded:
    """A replay: the result that the same call (same name, same canonical arguments) had is given again.

    A call made several times gets its results in their order, and then the last one again.
    """

    def __init__(
        self, recording: Iterable[Recording], *, earlier: Iterable[Recording] = (), registry: Registry = tools.default
    ) -> None:
        """`recording` is of the replayed answer; `earlier`, of the conversation before it, answers other calls."""
        self._results: dict[tuple[str, str], deque[str]] = defaultdict(deque)
        for name, arguments, output in recording:
            self._results[name, canonical(arguments)].append(output)
        before = {(name, canonical(arguments)): output for name, arguments, output in earlier}
        for key, output in before.items():
            self._results.setdefault(key, deque([output]))
        self._registry = registry

    async def answer(self, name: str, arguments: str) -> Answer | None:
        """The recorded result; else a function that is safe to replay is called; else the model is told."""
        results = self._results.get((name, canonical(arguments)))
        if results:
            return Answer(results.popleft() if len(results) > 1 else results[0], recorded=True)
        tool = self._registry.get(name)
        if tool is not None and tool.safe_to_replay:
            live = await Live(self._registry).answer(name, arguments)
            if live is not None:
                return Answer(live.output, recorded=False, failed=live.failed)
        return Answer(UNRECORDED, recorded=False, failed=True)


def recording_of(messages: Sequence[Json]) -> list[Recording]:
    """The calls with their results in messages of OpenAI's chat format, in the order of the results."""
    calls: dict[str, Json] = {}
    found = []
    for message in messages:
        calls |= {call["id"]: call for call in tool_calls_of(message)}
        call = calls.get(str(message.get("tool_call_id") or "")) if message.get("role") == "tool" else None
        if call:
            found.append((call["name"], call["arguments"], text_of(message)))
    return found


def recording_of_steps(details: Iterable[Json]) -> list[Recording]:
    """The same from the `step_details` of the Assistants API."""
    calls = [call for detail in details for call in detail.get("tool_calls") or [] if isinstance(call, dict)]
    functions = [call["function"] for call in calls if isinstance(call.get("function"), dict)]
    return [
        (str(f.get("name") or ""), str(f.get("arguments") or "{}"), str(f["output"]))
        for f in functions
        if f.get("output") is not None
    ]


def offered_by(messages: Sequence[Json]) -> list[Json]:
    """The tools that a conversation called, as far as its calls tell: for one whose original run is not known.

    Providers refuse a history with calls of tools that are not offered.
    """
    seen: dict[str, dict[str, Json]] = {}
    for message in messages:
        for call in tool_calls_of(message):
            seen.setdefault(call["name"], {}).update({name: {} for name in _names(call["arguments"])})
    return [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": properties}}}
        for name, properties in seen.items()
        if name
    ]


def _names(arguments: str) -> list[str]:
    try:
        found = json.loads(arguments)
    except ValueError:
        return []
    return list(found) if isinstance(found, dict) else []
