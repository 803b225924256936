"""Settings from the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from console import keys
from console.env import PROJECT

SECRETS = {
    "CONSOLE_PRODUCTION": "true",
    "SECRET_KEY": "s" * 60,
    "ALLOWED_HOSTS": "console.example.com, www.example.com",
    "AI_SECRETS_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
}


def settings(home: Path, expression: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Print an expression about `console.settings`, read in a process of its own."""
    environment = {"PATH": os.environ["PATH"], "CONSOLE_HOME": str(home), "CONSOLE_ENV_FILE": os.devnull, **variables}
    command = [sys.executable, "-c", f"from console import settings as s; print({expression})"]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)


class TestErrors:
    def test_names_everything_that_is_wrong_at_once(self, tmp_path: Path) -> None:
        ended = settings(tmp_path, "1", CONSOLE_PRODUCTION="true", PORT="many", DEBUG="true", LOG_LEVEL="LOUD")

        assert ended.returncode == 1
        for name in ("SECRET_KEY", "ALLOWED_HOSTS", "AI_SECRETS_KEY", "PORT", "DEBUG", "LOG_LEVEL"):
            assert f"\n  {name}: " in ended.stderr

    def test_does_not_repeat_what_was_given(self, tmp_path: Path) -> None:
        ended = settings(tmp_path, "1", PORT="hunter2", SECRET_KEY="hunter3")

        assert "PORT: " in ended.stderr
        assert "hunter" not in ended.stderr


class TestProduction:
    def test_goes_over_https_only(self, tmp_path: Path) -> None:
        names = "DEBUG SESSION_COOKIE_SECURE CSRF_COOKIE_SECURE SECURE_SSL_REDIRECT SECURE_HSTS_SECONDS ALLOWED_HOSTS"
        ended = settings(tmp_path, f"[getattr(s, name) for name in {names.split()}]", **SECRETS)

        assert ended.stdout.strip() == "[False, True, True, True, 31536000, ['console.example.com', 'www.example.com']]"

    def test_calls_no_model_at_a_private_address_unless_told(self, tmp_path: Path) -> None:
        name = "AI_PRIVATE_MODEL_HOSTS"
        unset, empty = (settings(tmp_path, f"s.{name}", **SECRETS, **more) for more in ({}, {name: ""}))
        told = settings(tmp_path, f"s.{name}", **SECRETS, AI_PRIVATE_MODEL_HOSTS="models.internal")
        embedded = settings(tmp_path, f"hasattr(s, '{name}')")

        assert (unset.stdout, empty.stdout, told.stdout) == ("[]\n", "[]\n", "models.internal\n")
        assert embedded.stdout == "False\n"

    def test_keeps_no_secret_of_its_own(self, tmp_path: Path) -> None:
        settings(tmp_path, "1", **SECRETS)

        assert not (tmp_path / "secret_key").exists()
        assert not (tmp_path / "ai_secrets_key").exists()


class TestEmbedded:
    def test_generates_secrets_once_and_keeps_them_private(self, tmp_path: Path) -> None:
        first = settings(tmp_path, "s.SECRET_KEY, s.AI_SECRETS_KEY")
        second = settings(tmp_path, "s.SECRET_KEY, s.AI_SECRETS_KEY")

        assert first.stdout == second.stdout
        assert len(first.stdout) > 100
        assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "ai_secrets_key").stat().st_mode & 0o777 == 0o600

    def test_has_debug_off_and_answers_this_computer_only(self, tmp_path: Path) -> None:
        ended = settings(tmp_path, "s.DEBUG, s.ALLOWED_HOSTS")

        assert ended.stdout.strip() == "False ['127.0.0.1', 'localhost', '[::1]']"

    def test_answers_to_the_address_it_listens_on(self, tmp_path: Path) -> None:
        ended = settings(tmp_path, "s.ALLOWED_HOSTS[3:]", HOST="192.168.1.20")

        assert ended.stdout.strip() == "['192.168.1.20']"

    def test_reads_a_file_beneath_the_environment(self, tmp_path: Path) -> None:
        file = tmp_path / "env"
        file.write_text("TIME_ZONE=Asia/Tokyo\nPORT=8100\nAI_RUN_CONCURRENCY=7\n")

        ended = settings(
            tmp_path, "s.TIME_ZONE, s.ENV.port, s.AI_RUN_CONCURRENCY", CONSOLE_ENV_FILE=str(file), PORT="8200"
        )

        assert ended.stdout.strip() == "Asia/Tokyo 8200 7"

    def test_keeps_marvin_out_of_the_home_folder(self, tmp_path: Path) -> None:
        ended = settings(tmp_path, "s.os.environ['MARVIN_DATABASE_URL']")

        assert str(tmp_path) in ended.stdout


class TestServices:
    @pytest.mark.parametrize(
        ("variables", "expression", "expected"),
        [
            (
                {"DATABASE_URL": "postgres://u:p@db:5432/c"},
                "s.DATABASES['default']['ENGINE']",
                "django.db.backends.postgresql",
            ),
            (
                {"DATABASE_URL": "postgres://u:p@db:5432/c", "DATABASE_POOL_SIZE": "9"},
                "s.DATABASES['default']['OPTIONS']['pool']['max_size']",
                "9",
            ),
            ({}, "s.DATABASES['default']['OPTIONS']['transaction_mode']", "IMMEDIATE"),
            ({}, "s.CELERY_BROKER_URL", "folder://localhost"),
            ({"CELERY_BROKER_URL": "redis://r:6379/0"}, "s.CACHES['default']['LOCATION']", "redis://r:6379/0"),
            (
                {"CELERY_BROKER_URL": "redis://r:6379/0", "CACHE_URL": "redis://c:6379/1"},
                "s.CACHES['default']['LOCATION']",
                "redis://c:6379/1",
            ),
            ({"FILES_S3_BUCKET": "talk"}, "s.STORAGES['default']['OPTIONS']['bucket_name']", "talk"),
        ],
    )
    def test_are_chosen_by_one_variable_each(
        self, tmp_path: Path, variables: dict[str, str], expression: str, expected: str
    ) -> None:
        ended = settings(tmp_path, expression, **variables)

        assert ended.stdout.strip() == expected, ended.stderr


def test_two_processes_that_start_together_keep_one_secret(tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from console import keys; print(keys.kept(Path(sys.argv[1]), keys.signing_key))"
    command = [sys.executable, "-c", script, str(tmp_path / "home" / "key")]
    together = [subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) for _ in range(8)]

    answers = {process.communicate()[0] for process in together}

    assert answers == {keys.kept(tmp_path / "home" / "key", keys.signing_key) + "\n"}
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["key"]
