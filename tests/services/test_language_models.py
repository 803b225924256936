"""Language models: adding, keys, rotation, and the commands over them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from ai import tenancy
from ai.exceptions import Forbidden, InvalidInput, Misconfigured, ModelError, NotFound
from ai.models import AuditEntry, LanguageModel
from ai.services import actors, language_models
from tests import factories

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
BY: dict[str, Any] = {"by": actors.SYSTEM, "at": NOW}


class TestAdd:
    def test_adds_then_brings_up_to_date(self) -> None:
        row, new = language_models.add(alias="fast", provider="openai", model="gpt-4o-mini", **BY)
        again, second = language_models.add(
            alias="fast", provider="openai", model="gpt-4.1", input_price=Decimal(2), **BY
        )

        assert (new, second, again.pk) == (True, False, row.pk)
        assert LanguageModel.objects.get().model == "gpt-4.1"
        with tenancy.everything(reason="test"):
            actions = sorted(AuditEntry.objects.values_list("action", flat=True))
        assert actions == ["language_model.added", "language_model.changed"]

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"alias": "no spaces"}, "Letters, digits"),
            ({"provider": "acme"}, "provider"),
            ({"provider": "azure"}, "base URL"),
            ({"base_url": "http://192.168.1.1/v1"}, "AI_PRIVATE_MODEL_HOSTS"),
            ({"settings": [1]}, "JSON object"),
            ({"api_key_env": "SECRET_KEY"}, "secret of the installation"),
        ],
    )
    def test_says_what_is_wrong(self, values: dict[str, Any], words: str) -> None:
        given: dict[str, Any] = {"alias": "fast", "provider": "openai", "model": "m", **values}

        with pytest.raises(InvalidInput, match=words):
            language_models.add(**given, **BY)

    def test_refuses_a_secret_of_the_installation_as_the_key_at_every_door(self) -> None:
        row = factories.language_model(api_key_env="SECRET_KEY")

        with pytest.raises(InvalidInput, match="secret of the installation"):
            language_models.save(row=row, **BY)
        with pytest.raises(InvalidInput, match="secret of the installation"):
            language_models.test(row=row, **BY)

    def test_needs_the_permission(self) -> None:
        with pytest.raises(Forbidden):
            language_models.add(alias="fast", provider="openai", model="m", by=factories.user(), at=NOW)


class TestKeys:
    def test_status_says_where_the_key_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        row = LanguageModel(alias="a", provider="openai", model="m")
        assert language_models.key_status(row) == "missing"
        monkeypatch.setenv("OPENAI_API_KEY", "x")
        assert language_models.key_status(row) == "from environment"
        row.api_key_env = "MY_KEY"
        assert language_models.key_status(row) == "missing"
        monkeypatch.setenv("SECRET_KEY", "x")
        row.api_key_env = "SECRET_KEY"
        assert language_models.key_status(row) == "missing"
        row.set_api_key("sk")
        assert language_models.key_status(row) == "stored"
        assert language_models.key_status(LanguageModel(alias="l", provider="local", model="m")) == "not needed"

    @pytest.mark.parametrize(
        ("values", "kept"),
        [
            ({"model": "gpt-4.1"}, True),
            ({"base_url": "https://models.example.com/v2"}, True),
            ({"base_url": "https://elsewhere.example.com/v1"}, False),
            ({"base_url": "https://models.example.com:8443/v1"}, False),
            ({"base_url": "http://models.example.com/v1"}, False),
            ({"base_url": ""}, False),
            ({"provider": "anthropic"}, False),
        ],
    )
    def test_goes_nowhere_else_than_it_was_meant_to(self, values: dict[str, str], kept: bool) -> None:
        url = "https://models.example.com/v1"
        given: dict[str, Any] = {"alias": "fast", "provider": "openai", "model": "m", "base_url": url}
        row, _ = language_models.add(**given, **BY)
        language_models.set_key(row=row, api_key="sk-1", **BY)

        changed: dict[str, Any] = {**given, **values}
        language_models.add(**changed, by=actors.SYSTEM, at=NOW + timedelta(minutes=1))

        assert bool(LanguageModel.objects.get().encrypted_key) is kept
        with tenancy.everything(reason="test"):
            last = AuditEntry.objects.order_by("at").last()
        assert last
        assert last.data["key"] == ("kept" if kept else "forgotten")

    def test_is_that_of_the_saved_row_not_of_an_older_copy(self) -> None:
        old = factories.language_model(base_url="https://old.example.com/v1")
        language_models.set_key(row=old, api_key="sk-old", **BY)
        copy = LanguageModel.objects.get()
        old.base_url = "https://new.example.com/v1"
        language_models.save(row=old, **BY)

        copy.base_url = "https://new.example.com/v1"
        language_models.save(row=copy, **BY)

        assert LanguageModel.objects.get().encrypted_key == ""

    def test_comes_along_when_it_is_given_anew(self) -> None:
        row = factories.language_model()
        language_models.set_key(row=row, api_key="sk-1", **BY)
        row.base_url = "https://elsewhere.example.com/v1"

        language_models.save(row=row, api_key="sk-2", **BY)

        assert LanguageModel.objects.get().spec().api_key == "sk-2"

    def test_rotation_encrypts_under_the_newest(self, settings: Any) -> None:
        old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
        settings.AI_SECRETS_KEY = old
        row = language_models.set_key(row=factories.language_model(), api_key="sk-1", **BY)
        before = row.encrypted_key
        settings.AI_SECRETS_KEY = f"{new},{old}"
        out = StringIO()

        call_command("rotate_secrets", stdout=out)

        row.refresh_from_db()
        assert row.encrypted_key != before
        settings.AI_SECRETS_KEY = new
        assert row.spec().api_key == "sk-1"
        assert "1 key encrypted" in out.getvalue()

    def test_rotation_says_when_a_key_cannot_be_read(self, settings: Any) -> None:
        language_models.set_key(row=factories.language_model(), api_key="sk-1", **BY)
        settings.AI_SECRETS_KEY = Fernet.generate_key().decode()

        with pytest.raises(CommandError, match="cannot be read"):
            call_command("rotate_secrets")
        with pytest.raises(Misconfigured):
            language_models.rotate_secrets(**BY)


class TestTest:
    def test_says_in_plain_words_why_a_model_does_not_answer(self) -> None:
        row = factories.language_model(base_url="http://127.0.0.1:9/v1")

        with pytest.raises(ModelError, match="could not be reached") as caught:
            language_models.test(row=row, **BY)

        assert caught.value.code in language_models.PLAIN_WORDS

    def test_refuses_what_is_off_and_who_may_not(self) -> None:
        with pytest.raises(NotFound):
            language_models.test(row=factories.language_model(is_enabled=False), **BY)
        with pytest.raises(Forbidden):
            language_models.test(row=factories.language_model(), by=factories.user(), at=NOW)


class TestCommand:
    def test_adds_a_server(self) -> None:
        out = StringIO()
        server = ["--provider", "openai-compatible", "--model", "llama", "--base-url", "http://127.0.0.1:8080/v1"]

        call_command("add_model", "mine", *server, "--model-settings", '{"temperature": 0.1}', stdout=out)
        call_command("add_model", "mine", *server, "--api-key-env", "MINE_KEY", stdout=out)

        row = LanguageModel.objects.get(alias="mine")
        assert (row.settings, row.api_key_env) == ({"temperature": 0.1}, "MINE_KEY")
        assert "Added mine" in out.getvalue()
        assert "Updated mine" in out.getvalue()
        assert "set MINE_KEY" in out.getvalue()

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            (["--base-url", "ftp://x"], "base_url|http"),
            (["--model-settings", "{"], "no JSON"),
            ([], "base URL"),
            (["--base-url", "https://example.com/v1", "--api-key-env", "DATABASE_URL"], "named like OPENAI_API_KEY"),
        ],
    )
    def test_says_what_is_wrong(self, more: list[str], words: str) -> None:
        with pytest.raises(CommandError, match=words):
            call_command("add_model", "mine", "--provider", "openai-compatible", "--model", "m", *more)
