"""System checks: `manage.py check` says what is wrong with the settings, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.checks import CheckMessage, Error, register

from ai import conf
from ai.llm import agent_paths


@register()
def settings_are_valid(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """`ai.E001` for a setting of the wrong type, `ai.E002` for a bad encryption key, `ai.E003` for an agent that is nowhere."""
    try:
        settings = conf.current()
    except ValueError as error:
        return [Error(str(error), hint="See the README's table of settings.", id="ai.E001")]
    for key in settings.secrets_key:
        if len(key) != 44:
            hint = "Make one with: python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
            return [Error("AI_SECRETS_KEY holds something that is no Fernet key.", hint=hint, id="ai.E002")]
    return list(_agents(settings.agents))


def _agents(agents: Mapping[str, str]) -> Iterator[CheckMessage]:
    """An agent's own module is imported when it first answers, not here: Marvin takes seconds."""
    for alias, path in agents.items():
        if wrong := agent_paths.problem(path):
            yield Error(f"AI_AGENTS[{alias!r}] cannot be used: {wrong}", hint=agent_paths.HINT, id="ai.E003")
