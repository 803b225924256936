"""Language models and their keys."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import override_settings

from ai import llm
from ai.exceptions import InvalidInput, Misconfigured, NotFound
from ai.models import LanguageModel, secrets
from ai.models.language_models import find_spec
from tests import factories

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.mark.django_db
class TestApiKey:
    @override_settings(AI_SECRETS_KEY=OLD)
    def test_is_kept_encrypted_and_read_by_the_spec_only(self) -> None:
        row = factories.language_model(alias="fast")
        row.set_api_key(" sk-secret ")
        row.save()

        with connection.cursor() as cursor:
            cursor.execute("SELECT encrypted_key FROM ai_language_model")
            assert "sk-secret" not in cursor.fetchone()[0]
        spec = find_spec("fast")
        assert spec is not None
        assert spec.api_key == "sk-secret"
        assert "sk-secret" not in repr(spec)
        assert "sk-secret" not in repr(row)

    def test_can_be_the_name_of_an_environment_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FAST_KEY", "sk-env")
        factories.language_model(alias="fast", api_key_env="FAST_KEY")

        spec = find_spec("fast")

        assert spec is not None
        assert spec.api_key == "sk-env"

    @pytest.mark.parametrize(
        "name",
        [
            "SECRET_KEY",
            "AI_SECRETS_KEY",
            "DJANGO_API_KEY",
            "CONSOLE_TOKEN",
            "DATABASE_KEY",
            "CELERY_TOKEN",
            "CACHE_KEY",
            "AWS_SECRET_ACCESS_KEY",
            "TLS_PRIVATE_KEY",
            "secret_key",
            "DATABASE_URL",
            "PATH",
            "X_KEY\n",
        ],
    )
    def test_is_never_a_secret_of_the_installation(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(name, "the installation's own")
        row = factories.language_model(alias="fast", api_key_env=name)

        with pytest.raises(ValidationError, match="holds a secret of the installation"):
            row.full_clean()
        with pytest.raises(InvalidInput, match="holds a secret of the installation"):
            find_spec("fast")

    @pytest.mark.parametrize(
        "name", ["OPENAI_API_KEY", "AWS_BEARER_TOKEN_BEDROCK", "HF_TOKEN", "CO_API_KEY", "FAST_KEY", "GATEWAY_2_TOKEN"]
    )
    def test_is_under_any_other_name_of_a_key(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(name, "sk-env")
        row = factories.language_model(alias="fast", api_key_env=name, base_url="")

        row.full_clean()

        assert row.spec().api_key == "sk-env"

    def test_rotates(self) -> None:
        with override_settings(AI_SECRETS_KEY=OLD):
            row = factories.language_model()
            row.set_api_key("sk-secret")
            row.save()
        with override_settings(AI_SECRETS_KEY=f"{NEW},{OLD}"):
            assert LanguageModel.objects.rotate_secrets() == 1
        with override_settings(AI_SECRETS_KEY=NEW):
            row.refresh_from_db()
            assert row.spec().api_key == "sk-secret"

    @pytest.mark.parametrize(
        ("key", "words"),
        [("", "Set AI_SECRETS_KEY"), ("x", "no Fernet key"), (NEW, "cannot be read")],
        ids=["none", "bad", "other"],
    )
    def test_says_what_is_missing(self, key: str, words: str) -> None:
        with override_settings(AI_SECRETS_KEY=OLD):
            token: Any = secrets.encrypt("sk-secret")

        with override_settings(AI_SECRETS_KEY=key), pytest.raises(Misconfigured, match=words):
            secrets.decrypt(token)


@pytest.mark.django_db
class TestVendorsKey:
    def test_named_by_a_row_goes_to_the_vendor_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
        given = {"provider": "openai-compatible", "api_key_env": "OPENAI_API_KEY"}

        assert factories.language_model(**given, base_url="https://api.openai.com/v1").spec().api_key == "sk-env"
        assert factories.language_model(**given, base_url="https://evil.example/v1").spec().api_key == ""


@pytest.mark.django_db
class TestFindSpec:
    def test_finds_nothing_where_there_is_no_row(self) -> None:
        assert find_spec("nowhere") is None

    def test_a_disabled_row_is_not_passed_by(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
        factories.language_model(alias="openai:gpt-4o", is_enabled=False)

        with pytest.raises(NotFound, match="“openai:gpt-4o” is disabled"):
            llm.spec("openai:gpt-4o")
        assert llm.spec("openai:gpt-4.1").model == "gpt-4.1"
