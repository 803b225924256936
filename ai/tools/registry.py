"""The registry of functions, and calling one with what a model wrote."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Iterator
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, overload

from pydantic import ConfigDict, ValidationError, create_model
from pydantic_core import to_json

from ai.exceptions import InvalidInput

Function = Callable[..., Any]


@dataclass(frozen=True)
class Tool:
    """A function with what a model needs to know about it."""

    name: str
    function: Function
    description: str
    seconds: float
    safe_to_replay: bool
    arguments: Any = field(repr=False)

    @property
    def schema(self) -> dict[str, Any]:
        """The arguments as JSON Schema."""
        schema: dict[str, Any] = self.arguments.model_json_schema()
        schema.pop("title", None)
        return schema

    def to_json(self) -> dict[str, Any]:
        """The tool as it stands in a run's or an assistant's `tools`."""
        function = {"name": self.name, "description": self.description, "parameters": self.schema}
        return {"type": "function", "function": function}

    async def call(self, arguments: str) -> str:
        """Call the function with the JSON text that a model wrote; its result as text, JSON where it is no text.

        Raises:
            InvalidInput: the arguments do not fit; the message says which, so that the model can mend them.
            TimeoutError: it took longer than its `seconds`. A synchronous function goes on in its thread.
        """
        try:
            values = self.arguments.model_validate_json(arguments or "{}")
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in error.errors())
            raise InvalidInput(f"The arguments of {self.name} are wrong: {problems}.") from error
        given = {name: getattr(values, name) for name in type(values).model_fields}
        async with asyncio.timeout(self.seconds):
            result = await self._await(given)
        return result if isinstance(result, str) else to_json(result, fallback=str).decode()

    async def _await(self, given: dict[str, Any]) -> Any:
        if inspect.iscoroutinefunction(self.function):
            return await self.function(**given)
        context, loop = copy_context(), asyncio.get_running_loop()
        return await loop.run_in_executor(None, lambda: context.run(self.function, **given))


def canonical(arguments: str) -> str:
    """JSON text in one form for equal values: keys sorted, no spaces, `1.0` as `1`; other text as it is, stripped."""
    try:
        value = json.loads(arguments or "{}", parse_float=_number)
    except ValueError:
        return arguments.strip()
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _number(text: str) -> float | int:
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


class Registry:
    """Tools by name."""

    def __init__(self) -> None:
        self._tools: dict[str, Tool] = {}

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def get(self, name: str) -> Tool | None:
        """The tool with this name; None when there is none."""
        return self._tools.get(name)

    def add(self, function: Function, *, name: str = "", seconds: float = 30, safe_to_replay: bool = False) -> Tool:
        """Make a function known; the same name again replaces it.

        Args:
            name: the function's own name by default.
            seconds: how long a call may take.
            safe_to_replay: whether a replay may call it again: it changes nothing and costs nothing.

        Raises:
            InvalidInput: an argument lacks a type, or takes any number of values.
        """
        tool = Tool(
            name=name or function.__name__,
            function=function,
            description=inspect.getdoc(function) or "",
            seconds=seconds,
            safe_to_replay=safe_to_replay,
            arguments=_arguments(function),
        )
        self._tools[tool.name] = tool
        return tool


def _arguments(function: Function) -> Any:
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY}:
            raise InvalidInput(f"{function.__name__}(): {parameter} cannot be filled by a model; name each argument.")
        if parameter.annotation is parameter.empty:
            raise InvalidInput(f"{function.__name__}(): give the argument {name} a type.")
        fields[name] = (parameter.annotation, ... if parameter.default is parameter.empty else parameter.default)
    return create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields)


#: Where `register` puts tools.
default = Registry()


@overload
def register(function: Function) -> Function: ...


@overload
def register(
    *, name: str = "", seconds: float = 30, safe_to_replay: bool = False
) -> Callable[[Function], Function]: ...


def register(function: Function | None = None, **options: Any) -> Any:
    """Decorate a function that models may call. The schema comes from its type hints; see `Registry.add`."""
    if function is not None:
        default.add(function)
        return function

    def decorate(decorated: Function) -> Function:
        default.add(decorated, **options)
        return decorated

    return decorate
