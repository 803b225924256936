"""The mail server from one address."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from console import mail
from console.env import PROJECT
from tests.console.test_env import settings

#: What sends e-mail, as this Django has it.
PRELUDE = """
import django
django.setup()
from django.conf import settings as s
from django.core import mail
default = (lambda: mail.mailers.default) if django.VERSION >= (6, 1) else mail.get_connection
"""


def made(home: Path, expression: str, **variables: str) -> str:
    """An expression about the backend that a process of the console would send by."""
    fixed = {"PATH": os.environ["PATH"], "CONSOLE_HOME": str(home), "CONSOLE_ENV_FILE": os.devnull}
    environment = {**fixed, "DJANGO_SETTINGS_MODULE": "console.settings", **variables}
    command = [sys.executable, "-c", f"{PRELUDE}\nprint({expression})"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


class TestOptions:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("smtp://mail.example.com", {"port": 25}),
            ("smtp+tls://mail.example.com", {"port": 587, "use_tls": True}),
            ("smtps://mail.example.com", {"port": 465, "use_ssl": True}),
            ("smtp+tls://mail.example.com:2525", {"port": 2525, "use_tls": True}),
        ],
    )
    def test_the_scheme_says_how_the_connection_is_made_safe(self, url: str, expected: dict[str, Any]) -> None:
        who = {"host": "mail.example.com", "username": "", "password": "", "timeout": 20}

        assert mail.options(url) == who | expected

    def test_names_and_passwords_may_have_any_letters(self) -> None:
        found = mail.options("smtps://a%40b.example:p%2Fw%3A@mail.example.com")

        assert (found["username"], found["password"]) == ("a@b.example", "p/w:")

    def test_without_a_server_there_are_none(self) -> None:
        assert mail.options("") == {}


class TestConsole:
    def test_takes_it_from_the_environment(self, tmp_path: Path) -> None:
        script = "(lambda m: (type(m).__module__, getattr(m, 'host', ''), s.DEFAULT_FROM_EMAIL))(default())"
        without = made(tmp_path, script)
        given = made(tmp_path, script, EMAIL_URL="smtps://mail.example.com", EMAIL_FROM="Ops <ops@example.com>")

        assert without == "('django.core.mail.backends.dummy', '', 'Marvin Console <console@localhost>')"
        assert given == "('django.core.mail.backends.smtp', 'mail.example.com', 'Ops <ops@example.com>')"

    @pytest.mark.parametrize(
        "url",
        [
            "hunter2",
            "http://hunter2@example.com",
            "smtp://",
            "smtp://hunter2:x@host:port",
            "smtp://u:hunter2[@host",
            "smtp://u:hunter2℀@host",
        ],
    )
    def test_says_what_is_wrong_and_repeats_nothing(self, tmp_path: Path, url: str) -> None:
        ended = settings(tmp_path, "1", EMAIL_URL=url, EMAIL_FROM="no address\nBcc: x")

        assert "\n  EMAIL_URL: " in ended.stderr
        assert "\n  EMAIL_FROM: " in ended.stderr
        assert "hunter" not in ended.stderr
