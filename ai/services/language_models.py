"""What a person can do with language models: keep them, their keys, and see whether they answer."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from asgiref.sync import async_to_sync
from django.core.exceptions import ValidationError
from django.db import transaction

from ai import conf, llm, tenancy
from ai.exceptions import InvalidInput, ModelError, NotFound
from ai.llm.specs import AGENT, KEY_VARIABLES, KEYLESS, belongs_at, may_hold_key
from ai.models import LanguageModel, RemoteConnection, Webhook
from ai.models.language_models import NO_KEY_NAME
from ai.services import audit, permissions

#: Providers that need an address of their own.
NEED_URL = frozenset({"openai-compatible", "azure"})

#: What a vendor's failure means and what to do about it.
PLAIN_WORDS = {
    "authentication_failed": "The provider did not accept the API key. Check the key, or the environment variable.",
    "model_not_found": "The provider does not know this model, or this key may not use it. Check the model's name.",
    "rate_limit_exceeded": "The provider says there were too many requests, or the account has no credit left.",
    "timeout": "The provider did not answer in time. Check the base URL and whether the server runs.",
    "context_length_exceeded": "The provider says the request was too long.",
    "invalid_prompt": "The provider did not accept the request. Check the model's name and settings.",
    "server_error": "The provider could not be reached, or failed. Check the base URL and whether the server runs.",
}


@dataclass(frozen=True)
class Choice:
    """Something that can be chosen as a model; `model` is the provider's name of it, or an agent's dotted path."""

    alias: str
    provider: str
    model: str


def choices(*, most: int = 100) -> list[Choice]:
    """What is offered where a model is chosen: up to `most` enabled models by alias, then the Marvin agents."""
    rows = LanguageModel.objects.enabled().order_by("alias").values_list("alias", "provider", "model")[:most]
    found = [Choice(*row) for row in rows]
    known = {choice.alias for choice in found}
    agents = conf.current().agents
    return found + [Choice(alias, AGENT, path) for alias, path in agents.items() if alias not in known]


def key_status(row: LanguageModel) -> str:
    """Where the key is: "stored", "from environment", "not needed" or "missing"."""
    if row.encrypted_key:
        return "stored"
    named = [row.api_key_env] if row.api_key_env else list(KEY_VARIABLES.get(row.provider, ()))
    usable = (name for name in named if may_hold_key(name) and belongs_at(name, row.base_url))
    if any(os.environ.get(name) for name in usable):
        return "from environment"
    return "not needed" if row.provider in KEYLESS and not row.api_key_env else "missing"


def check(row: LanguageModel) -> None:
    """Raise `InvalidInput` when the model cannot work as it stands, saying what to change."""
    if row.provider in NEED_URL and not row.base_url:
        raise InvalidInput("This provider needs a base URL, such as https://host/v1.")
    if row.base_url:
        llm.check_url(row.base_url)
    if row.api_key_env and not may_hold_key(row.api_key_env):
        raise InvalidInput(NO_KEY_NAME)
    if not isinstance(row.settings, dict):
        raise InvalidInput("The settings are a JSON object, such as {“temperature”: 0.2}.")
    if any(price is not None and price < 0 for price in (row.input_price, row.output_price, row.cached_price)):
        raise InvalidInput("A price is zero or more.")


@transaction.atomic
def save(*, row: LanguageModel, by: Any, at: datetime, api_key: str | None = None) -> LanguageModel:
    """Write a language model.

    A stored key goes only where it was meant to: with another provider or another server it is forgotten.

    Args:
        api_key: None leaves the stored key as it is, an empty text forgets it.

    Raises:
        Forbidden, InvalidInput.
        Misconfigured: a key is given and `AI_SECRETS_KEY` is not usable.
    """
    new = row._state.adding
    permissions.require(by, "ai.add_languagemodel" if new else "ai.change_languagemodel")
    check(row)
    before = None if new else LanguageModel.objects.select_for_update().filter(pk=row.pk).first()
    if api_key is not None:
        row.set_api_key(api_key)
    elif before is not None:
        row.encrypted_key = before.encrypted_key if place(before) == place(row) else ""
    row.save()
    lost = before is not None and bool(before.encrypted_key) and not row.encrypted_key
    key = "stored" if api_key else "forgotten" if lost or api_key is not None else "kept"
    action = "language_model.added" if new else "language_model.changed"
    audit.record(action, target=row, by=by, at=at, alias=row.alias, provider=row.provider, key=key)
    return row


def place(row: LanguageModel) -> tuple[object, ...]:
    """Whose server gets the key: with another one the stored key is forgotten."""
    parts = urlsplit(row.base_url)
    return row.provider, parts.scheme.lower(), parts.hostname, parts.port


@transaction.atomic
def add(
    *,
    alias: str,
    provider: str,
    model: str,
    by: Any,
    at: datetime,
    base_url: str = "",
    api_key_env: str = "",
    **more: Any,
) -> tuple[LanguageModel, bool]:
    """Add a model under an alias, or bring the one of this alias up to date; (the row, whether it is new).

    Raises:
        Forbidden.
        InvalidInput: names every field that is wrong.
    """
    found = LanguageModel.objects.filter(alias=alias).first()
    row = found or LanguageModel(alias=alias)
    values = {"provider": provider, "model": model, "base_url": base_url, "api_key_env": api_key_env, **more}
    for name, value in values.items():
        setattr(row, name, value)
    try:
        row.full_clean()
    except ValidationError as error:
        problems = [f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items()]
        raise InvalidInput("; ".join(problems)) from error
    return save(row=row, by=by, at=at), found is None


@transaction.atomic
def set_key(*, row: LanguageModel, api_key: str, by: Any, at: datetime) -> LanguageModel:
    """Store a key encrypted, or forget it when empty."""
    return save(row=row, api_key=api_key, by=by, at=at)


@transaction.atomic
def delete(*, row: LanguageModel, by: Any, at: datetime) -> None:
    """Delete a model; runs keep its alias.

    Raises:
        Forbidden.
    """
    permissions.require(by, "ai.delete_languagemodel")
    audit.record("language_model.deleted", target=row, by=by, at=at, alias=row.alias)
    row.delete()


def test(*, row: LanguageModel, by: Any, at: datetime) -> llm.Probe:
    """Ask the model one short question; how it answered.

    Raises:
        Forbidden.
        NotFound: it is switched off.
        ModelError: it did not answer; the message says in plain words what to do, then what the provider said.
    """
    permissions.require(by, "ai.test_languagemodel")
    if not row.is_enabled:
        raise NotFound(f"“{row.alias}” is switched off; enable it first.")
    try:
        found = async_to_sync(_probe)(row.spec())
    except ModelError as error:
        audit.record("language_model.tested", target=row, by=by, at=at, outcome=error.code)
        words = PLAIN_WORDS.get(error.code, "")
        raise ModelError(f"{words} The provider said: {error.message}".strip(), code=error.code) from error
    audit.record("language_model.tested", target=row, by=by, at=at, outcome="answered", latency_ms=found.latency_ms)
    return found


async def _probe(spec: llm.ModelSpec) -> llm.Probe:
    try:
        return await llm.probe(spec)
    finally:
        await llm.aclose()


@transaction.atomic
def rotate_secrets(*, by: Any, at: datetime) -> int:
    """Encrypt every stored key again under the newest of `AI_SECRETS_KEY`; how many there were.

    Raises:
        Forbidden.
        Misconfigured: a stored key was made by a key that is no longer in `AI_SECRETS_KEY`.
    """
    permissions.require(by, "ai.change_languagemodel")
    with tenancy.everything(reason="encrypting keys anew"):
        count = sum(model.objects.rotate_secrets() for model in (LanguageModel, RemoteConnection, Webhook))
    audit.record("language_model.secrets_rotated", by=by, at=at, keys=count)
    return count
