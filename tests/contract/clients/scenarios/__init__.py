"""What clients do: each public function of these modules is a scenario, given the API."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType

from tests.contract.clients.api import Api
from tests.contract.clients.scenarios import (
    files,
    many,
    objects,
    options,
    pages,
    refusals,
    runs,
    states,
    streams,
    tools,
    vector_stores,
)

Scenario = Callable[[Api], None]
_MODULES: tuple[ModuleType, ...] = (
    objects,
    pages,
    runs,
    options,
    states,
    streams,
    tools,
    files,
    vector_stores,
    refusals,
    many,
)


def found() -> dict[str, Scenario]:
    """All scenarios, by name."""
    return {
        name: function
        for module in _MODULES
        for name, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_")
    }
