"""
One port to any language model: an alias becomes a `pydantic_ai.models.Model`.

    model = llm.resolve("anthropic:claude-sonnet-4-5")
    async with model.request_stream(messages, settings, parameters) as stream:
        ...

Importing this package is cheap: pydantic-ai and the vendors' SDKs are imported at first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ai.llm.specs import AGENT, ModelSpec, set_source, spec

if TYPE_CHECKING:
    from ai.llm.agents import answered
    from ai.llm.errors import translate
    from ai.llm.guard import check_url
    from ai.llm.prices import cost
    from ai.llm.probes import Probe, probe
    from ai.llm.registry import aclose, resolve

__all__ = [
    "AGENT",
    "ModelSpec",
    "Probe",
    "aclose",
    "answered",
    "check_url",
    "cost",
    "probe",
    "resolve",
    "set_source",
    "spec",
    "translate",
]

_HOMES = {
    "Probe": "probes",
    "aclose": "registry",
    "answered": "agents",
    "check_url": "guard",
    "cost": "prices",
    "probe": "probes",
    "resolve": "registry",
    "translate": "errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value
