"""System checks: `manage.py check` says what is wrong with the settings, and how to mend it."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register

from ai import conf


@register()
def settings_are_valid(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """`ai.E001` for a setting of the wrong type, `ai.E002` for a bad encryption key."""
    try:
        settings = conf.current()
    except ValueError as error:
        return [Error(str(error), hint="See the README's table of settings.", id="ai.E001")]
    for key in settings.secrets_key:
        if len(key) != 44:
            hint = "Make one with: python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
            return [Error("AI_SECRETS_KEY holds something that is no Fernet key.", hint=hint, id="ai.E002")]
    return []
