"""System checks: `manage.py check` says what is wrong with the settings, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.checks import CheckMessage, Error, register

from ai import conf
from ai.llm import agent_paths


@register()
def settings_are_valid(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """`ai.E001` for a setting of the wrong type, `ai.E002` for a bad encryption key, `ai.E003` for an agent that is nowhere,
    `ai.E004` for an agent that is to suggest labels.
    """
    try:
        settings = conf.current()
    except ValueError as error:
        return [Error(str(error), hint="See the README's table of settings.", id="ai.E001")]
    for key in settings.secrets_key:
        if len(key) != 44:
            hint = "Make one with: python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
            return [Error("AI_SECRETS_KEY holds something that is no Fernet key.", hint=hint, id="ai.E002")]
    return [*_agents(settings.agents), *_feedback_model(settings)]


def _agents(agents: Mapping[str, str]) -> Iterator[CheckMessage]:
    """An agent's own module is imported when it first answers, not here: Marvin takes seconds."""
    for alias, path in agents.items():
        if wrong := agent_paths.problem(path):
            yield Error(f"AI_AGENTS[{alias!r}] cannot be used: {wrong}", hint=agent_paths.HINT, id="ai.E003")


def _feedback_model(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Whether there is such a model is in the database, which a check leaves alone; an agent is none in any case."""
    if settings.feedback_model in settings.agents:
        hint = "Name the alias of a model: an agent may have tools, and comments are written by strangers."
        yield Error("AI_FEEDBACK_MODEL names a Marvin agent.", hint=hint, id="ai.E004")
