"""What a Marvin run is about, as its row in the console says it: the model, the instructions, the tools, the settings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from marvin import Agent, Task, Team
from marvin.agents.actor import Actor
from marvin.instructions import get_instructions
from pydantic_ai.models import Model
from pydantic_ai.tools import Tool

from ai import conf
from ai.llm import registry
from ai.llm.specs import KEY_VARIABLES, ModelSpec
from ai.stores.serialization import to_serializable

Json = dict[str, Any]


def speaker(actor: Actor) -> Actor:
    """Who acts for an actor: of a team, its active member."""
    while isinstance(actor, Team):
        actor = actor.active_member
    return actor


def model_of(actor: Actor) -> tuple[str, ModelSpec | None]:
    """The alias of what answers, and the model that has a price.

    The alias is the agent's where `AI_AGENTS` has one, else the model's where it is ours, else `provider:model`.
    """
    agent = speaker(actor)
    model = agent.get_model() if isinstance(agent, Agent) else ""
    spec = registry.spec_of(model) if isinstance(model, Model) else None
    name = spec.alias if spec else str(model.model_id if isinstance(model, Model) else model)
    if spec is None:
        provider, _, rest = name.partition(":")
        spec = ModelSpec(alias=name, provider=provider, model=rest) if provider in KEY_VARIABLES else None
    return _alias_of(agent) or name, spec


def _alias_of(agent: Actor) -> str:
    """The name under which people choose the agent; empty when it has none."""
    for alias, path in conf.current().agents.items():
        module, _, name = path.rpartition(".")
        if getattr(sys.modules.get(module), name, None) is agent:
            return alias
    return ""


def instructions_of(actor: Actor) -> str:
    """What the agent was told, in its author's words."""
    told = [speaker(actor).instructions or "", *get_instructions()]
    return "\n\n".join(text for text in told if text)


def settings_of(actor: Actor) -> Json:
    """The agent's settings of its model."""
    agent = speaker(actor)
    return to_serializable(dict(agent.get_model_settings())) if isinstance(agent, Agent) else {}


def tools_of(actor: Actor, tasks: Iterable[Task[Any]]) -> list[Json]:
    """The real tools that the agent may call, in OpenAI's format."""
    functions: list[Callable[..., Any]] = [*speaker(actor).get_tools()]
    functions += [tool for task in tasks for tool in task.get_tools()]
    found: dict[str, Json] = {}
    for function in functions:
        definition = Tool(function).tool_def
        found[definition.name] = {
            "name": definition.name,
            "description": definition.description,
            "parameters": definition.parameters_json_schema,
        }
    return [{"type": "function", "function": function} for function in found.values()]
