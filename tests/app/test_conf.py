"""The app's settings."""

from __future__ import annotations

import inspect
from dataclasses import fields
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from django.test import override_settings

from ai import checks, conf


class TestRead:
    def test_takes_text_as_the_environment_gives_it(self) -> None:
        tenant = uuid4()
        source = {
            "AI_DEFAULT_TENANT_ID": str(tenant),
            "AI_MAX_FILE_BYTES": "10",
            "AI_SECRETS_KEY": "one, two",
            "AI_FIRST_TOKEN_SECONDS": "2.5",
            "AI_UNKNOWN": "x",
        }

        settings = conf.read(source)

        assert settings.default_tenant_id == tenant
        assert settings.max_file_bytes == 10
        assert settings.secrets_key == ("one", "two")
        assert settings.first_token_seconds == 2.5

    def test_reads_what_triage_goes_by(self) -> None:
        source = {
            "AI_FEEDBACK_TARGET_HOURS": "1, 2, 3, 4.5",
            "AI_FEEDBACK_LABELS": '{"billing": ["invoice"]}',
            "AI_FEEDBACK_MACROS": '[{"name": "Known bug", "key": "b"}]',
        }

        settings = conf.read(source)

        assert list(settings.feedback_target_hours) == [1, 2, 3, 4.5]
        assert settings.feedback_labels == {"billing": ["invoice"]}
        assert list(settings.feedback_macros) == [{"name": "Known bug", "key": "b"}]

    def test_reads_what_telling_goes_by(self) -> None:
        source = {"AI_CONSOLE_URL": "https://console.example.com/", "AI_DIGEST_HOUR": "0", "AI_WEBHOOK_KEEP_DAYS": "7"}

        settings = conf.read(source)

        assert (settings.console_url, settings.digest_hour) == ("https://console.example.com", 0)
        assert settings.webhook_keep_days == 7

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("AI_CONSOLE_URL", "console.example.com"),
            ("AI_CONSOLE_URL", "javascript:alert(1)"),
            ("AI_DIGEST_HOUR", "24"),
            ("AI_DIGEST_HOUR", "seven"),
            ("AI_WEBHOOK_KEEP_DAYS", "0"),
        ],
    )
    def test_refuses_what_telling_cannot_go_by(self, name: str, value: str) -> None:
        with pytest.raises(ValueError, match=name):
            conf.read({name: value})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("AI_FEEDBACK_TARGET_HOURS", "1,2,3"),
            ("AI_FEEDBACK_TARGET_HOURS", "0,1,2,3"),
            ("AI_FEEDBACK_LABELS", '{"billing": "invoice"}'),
            ("AI_FEEDBACK_LABELS", "nonsense"),
            ("AI_FEEDBACK_MACROS", '[{"key": "b"}]'),
        ],
    )
    def test_refuses_what_triage_cannot_go_by(self, name: str, value: str) -> None:
        with pytest.raises(ValueError, match=name):
            conf.read({name: value})

    def test_reads_how_much_there_may_be(self) -> None:
        source = {"AI_MODEL_CONCURRENCY": "16", "AI_REMOTE_RETRIES": "0", "AI_REMOTE_TIMEOUT_SECONDS": "7.5"}

        settings = conf.read(source)

        assert (settings.model_concurrency, settings.remote_retries) == (16, 0)
        assert settings.remote_timeout_seconds == 7.5

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("AI_MODEL_CONCURRENCY", "0"),
            ("AI_MODEL_CONCURRENCY", "many"),
            ("AI_EXPORT_PART_ROWS", "0"),
            ("AI_REVIEW_SAMPLE_ROWS", "0"),
            ("AI_RETITLE_MAX_THREADS", "0"),
            ("AI_SYNC_MAX_THREADS", "-1"),
            ("AI_REMOTE_RETRIES", "-1"),
            ("AI_REMOTE_MAX_BYTES", "0"),
            ("AI_REMOTE_TIMEOUT_SECONDS", "0"),
            ("AI_REMOTE_TIMEOUT_SECONDS", "nan"),
            ("AI_REMOTE_TIMEOUT_SECONDS", "inf"),
        ],
    )
    def test_refuses_what_nothing_could_be_done_with(self, name: str, value: str) -> None:
        with pytest.raises(ValueError, match=name):
            conf.read({name: value})

    @pytest.mark.parametrize(
        ("said", "meant"),
        [("yes", True), ("On", True), ("1", True), (True, True), ("no", False), (" OFF ", False), (False, False)],
    )
    def test_reads_yes_and_no(self, said: object, meant: bool) -> None:
        assert conf.read({"AI_PRESENCE": said}).presence is meant

    def test_takes_nothing_else_for_yes_or_no(self) -> None:
        with pytest.raises(ValueError, match="AI_PRESENCE: say"):
            conf.read({"AI_PRESENCE": "perhaps"})

    def test_names_every_setting_that_is_wrong(self) -> None:
        with pytest.raises(ValueError, match=r"AI_DEFAULT_TENANT_ID.*AI_MAX_FILE_BYTES"):
            conf.read({"AI_MAX_FILE_BYTES": "many", "AI_DEFAULT_TENANT_ID": "us"})

    def test_every_field_is_explained(self) -> None:
        source = inspect.getsource(conf.Settings)

        for field in fields(conf.Settings):
            assert f"    {field.name}:" in source
        assert source.count('"""') == 2 * (len(fields(conf.Settings)) + 1)


class TestChecks:
    def test_good_settings_pass(self) -> None:
        with override_settings(AI_SECRETS_KEY=Fernet.generate_key().decode()):
            assert checks.settings_are_valid(None) == []

    @pytest.mark.parametrize(
        ("name", "value", "problem"),
        [
            ("AI_MAX_FILE_BYTES", "many", "ai.E001"),
            ("AI_MODEL_CONCURRENCY", "0", "ai.E001"),
            ("AI_SECRETS_KEY", "short", "ai.E002"),
            ("AI_AGENTS", {"a": "tests.nowhere.a"}, "ai.E003"),
        ],
    )
    def test_bad_ones_are_named_with_a_hint(self, name: str, value: str, problem: str) -> None:
        with override_settings(**{name: value}):
            found = checks.settings_are_valid(None)

        assert [p.id for p in found] == [problem]
        assert found[0].hint

    def test_an_agent_suggests_no_labels(self) -> None:
        with override_settings(AI_AGENTS={"clerk": "tests.marvin.agents.clerk"}, AI_FEEDBACK_MODEL="clerk"):
            found = checks.settings_are_valid(None)

        assert [p.id for p in found] == ["ai.E004"]
        assert found[0].hint
