"""Language models: an alias for a provider's model, with its key, settings and price."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models

from ai.exceptions import InvalidInput, NotFound
from ai.llm import ModelSpec
from ai.llm.specs import belongs_at, may_hold_key
from ai.models import secrets
from ai.models.base import Record

PROVIDERS = (
    ("openai", "OpenAI"),
    ("openai-responses", "OpenAI (Responses API)"),
    ("openai-compatible", "OpenAI-compatible server (vLLM, llama.cpp, LM Studio)"),
    ("azure", "Azure OpenAI"),
    ("anthropic", "Anthropic"),
    ("google-gla", "Google Gemini"),
    ("mistral", "Mistral"),
    ("groq", "Groq"),
    ("cohere", "Cohere"),
    ("bedrock", "Amazon Bedrock"),
    ("huggingface", "Hugging Face"),
    ("openrouter", "OpenRouter"),
    ("ollama", "Ollama"),
    ("local", "Embedded model"),
)

NO_KEY_NAME = (
    "The key's environment variable is named like OPENAI_API_KEY: in capitals, ending in _API_KEY, _KEY or _TOKEN, and none "
    "that holds a secret of the installation itself."
)


class LanguageModelManager(models.Manager["LanguageModel"]):
    """The only writer of `ai_language_model`. Language models belong to the installation, not to a tenant."""

    def enabled(self) -> models.QuerySet[LanguageModel]:
        """Those that can be chosen, by alias."""
        return self.filter(is_enabled=True).order_by("alias", "pk")

    def rotate_secrets(self) -> int:
        """Encrypt every stored key again under the newest secret; how many there were."""
        rows = list(self.exclude(encrypted_key=""))
        for row in rows:
            row.encrypted_key = secrets.rotate(row.encrypted_key)
        return self.bulk_update(rows, ["encrypted_key"])


class LanguageModel(Record):
    """A model that people can choose by its alias."""

    alias = models.CharField(
        max_length=100,
        unique=True,
        validators=[RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$", "Letters, digits and . _ : / @ - only.")],
        help_text="What people choose, such as “fast” or “gpt-4o”.",
    )
    provider = models.CharField(max_length=32, choices=PROVIDERS)
    model = models.CharField(max_length=255, help_text="The provider's own name of the model.")
    base_url = models.CharField("base URL", max_length=500, default="", blank=True)
    api_key_env = models.CharField(
        "key's environment variable",
        max_length=100,
        default="",
        blank=True,
        help_text="Where the key is, if not stored.",
    )
    encrypted_key = models.TextField(default="", blank=True, editable=False)
    api_version = models.CharField("API version", max_length=50, default="", blank=True, help_text="Azure only.")
    settings = models.JSONField(default=dict, blank=True, help_text="temperature, max_tokens, timeout, …")
    context_window = models.PositiveIntegerField(null=True, blank=True, help_text="In tokens.")
    input_price = models.DecimalField(
        max_digits=12, decimal_places=6, null=True, blank=True, help_text="US$ per million prompt tokens."
    )
    output_price = models.DecimalField(
        max_digits=12, decimal_places=6, null=True, blank=True, help_text="US$ per million completion tokens."
    )
    cached_price = models.DecimalField(
        max_digits=12, decimal_places=6, null=True, blank=True, help_text="US$ per million cached prompt tokens."
    )
    is_enabled = models.BooleanField("enabled", default=True)

    objects: ClassVar[LanguageModelManager] = LanguageModelManager()

    class Meta:
        db_table = "ai_language_model"
        ordering = ("alias", "pk")
        permissions = (
            ("test_languagemodel", "Can test the connection of language models"),
            ("import_languagemodel", "Can import language models"),
            ("export_languagemodel", "Can export language models"),
        )

    def __str__(self) -> str:
        return self.alias

    def clean(self) -> None:
        """Refuse to send any variable of the environment to a model's server but one that holds a key for it."""
        super().clean()
        if self.api_key_env and not may_hold_key(self.api_key_env):
            raise ValidationError({"api_key_env": NO_KEY_NAME})

    def set_api_key(self, plain: str) -> None:
        """Store the key encrypted, or forget it when empty; the caller saves."""
        self.encrypted_key = secrets.encrypt(plain.strip())

    def spec(self) -> ModelSpec:
        """What `ai.llm` needs, the key in clear: never show or log it.

        Raises:
            InvalidInput: the environment variable that the row names may not hold its key.
            Misconfigured: the stored key cannot be read.
        """
        if self.api_key_env and not may_hold_key(self.api_key_env):
            raise InvalidInput(NO_KEY_NAME)
        named = self.api_key_env if belongs_at(self.api_key_env, self.base_url) else ""
        key = secrets.decrypt(self.encrypted_key) or (os.environ.get(named, "") if named else "")
        return ModelSpec(
            alias=self.alias,
            provider=self.provider,
            model=self.model,
            base_url=self.base_url,
            api_key=key,
            api_version=self.api_version,
            settings=self.settings or {},
            context_window=self.context_window,
            input_price=self.input_price,
            output_price=self.output_price,
            cached_price=self.cached_price,
        )


def find_spec(alias: str) -> ModelSpec | None:
    """The row with this alias, as `ai.llm` wants it; None when there is none.

    Raises:
        NotFound: it is disabled. An alias such as "openai:gpt-4o" must not reach the provider in spite of that.
    """
    row: Any = LanguageModel.objects.filter(alias=alias).first()
    if row and not row.is_enabled:
        raise NotFound(f"“{alias}” is disabled. Enable it in the admin's list of language models, or choose another.")
    return row.spec() if row else None
