"""The registry of functions that models may call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from inline_snapshot import snapshot

from ai import tools
from ai.exceptions import InvalidInput
from ai.tools import Registry
from ai.tools.registry import canonical


def weather(city: str, unit: Literal["C", "F"] = "C") -> str:
    """The weather in a city."""
    return f"{city}: 21 {unit}"


@dataclass
class Place:
    name: str


class TestAdd:
    def test_makes_the_schema_from_type_hints(self) -> None:
        tool = Registry().add(weather)

        assert tool.to_json() == snapshot(
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "The weather in a city.",
                    "parameters": {
                        "additionalProperties": False,
                        "properties": {
                            "city": {"title": "City", "type": "string"},
                            "unit": {"default": "C", "enum": ["C", "F"], "title": "Unit", "type": "string"},
                        },
                        "required": ["city"],
                        "type": "object",
                    },
                },
            }
        )

    def test_refuses_an_argument_without_a_type(self) -> None:
        def bare(city) -> str:  # type: ignore[no-untyped-def]
            return str(city)

        with pytest.raises(InvalidInput, match="give the argument city a type"):
            Registry().add(bare)

    def test_refuses_any_number_of_arguments(self) -> None:
        def many(*cities: str) -> str:
            return " ".join(cities)

        with pytest.raises(InvalidInput, match="name each argument"):
            Registry().add(many)

    def test_the_same_name_again_replaces_the_function(self) -> None:
        registry = Registry()
        registry.add(weather, name="w")
        registry.add(weather, name="w", safe_to_replay=True)

        assert [(tool.name, tool.safe_to_replay) for tool in registry] == [("w", True)]


class TestCall:
    async def test_passes_checked_arguments(self) -> None:
        assert await Registry().add(weather).call('{"city": "Oslo", "unit": "F"}') == "Oslo: 21 F"

    async def test_gives_json_for_what_is_no_text(self) -> None:
        def places() -> list[Place]:
            return [Place("Oslo")]

        assert await Registry().add(places).call("") == '[{"name":"Oslo"}]'

    async def test_awaits_a_coroutine(self) -> None:
        async def slow(city: str) -> dict[str, Any]:
            await asyncio.sleep(0)
            return {"city": city}

        assert await Registry().add(slow).call('{"city": "Oslo"}') == '{"city":"Oslo"}'

    @pytest.mark.parametrize("arguments", ['{"town": "Oslo"}', '{"city": {}}', "{", "[]"])
    async def test_says_what_is_wrong_with_the_arguments(self, arguments: str) -> None:
        with pytest.raises(InvalidInput, match="The arguments of weather are wrong"):
            await Registry().add(weather).call(arguments)

    async def test_gives_up_after_its_time(self) -> None:
        async def endless() -> None:
            await asyncio.sleep(60)

        with pytest.raises(TimeoutError):
            await Registry().add(endless, seconds=0.01).call("{}")


class TestRegister:
    def test_works_with_and_without_options(self) -> None:
        @tools.register
        def plain() -> str:
            return ""

        @tools.register(name="renamed", safe_to_replay=True)
        def other() -> str:
            return ""

        found = tools.default.get("renamed")
        assert tools.default.get("plain") is not None
        assert found is not None
        assert found.function is other


class TestCanonical:
    @pytest.mark.parametrize("text", ['{"b":1,"a":"x"}', '{ "a": "x", "b": 1.0 }', '{"a":"\\u0078","b":1e0}'])
    def test_gives_equal_values_one_form(self, text: str) -> None:
        assert canonical(text) == '{"a":"x","b":1}'

    def test_keeps_different_values_apart(self) -> None:
        assert len({canonical(text) for text in ('{"a":1}', '{"a":"1"}', '{"a":1.5}', '{"a":true}')}) == 4

    def test_takes_what_is_no_json(self) -> None:
        assert canonical(" {broken ") == "{broken"
        assert canonical("") == "{}"
