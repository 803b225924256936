"""The mail server from one address."""

from __future__ import annotations

from pathlib import Path

import pytest

from console import mail
from tests.console.test_env import settings

DUMMY = "django.core.mail.backends.dummy.EmailBackend"
SMTP = "django.core.mail.backends.smtp.EmailBackend"


class TestSettings:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("smtp://mail.example.com", (25, None, None)),
            ("smtp+tls://mail.example.com", (587, True, None)),
            ("smtps://mail.example.com", (465, None, True)),
            ("smtp+tls://mail.example.com:2525", (2525, True, None)),
        ],
    )
    def test_the_scheme_says_how_the_connection_is_made_safe(
        self, url: str, expected: tuple[int, bool | None, bool | None]
    ) -> None:
        found = mail.settings(url)

        assert (found["EMAIL_PORT"], found.get("EMAIL_USE_TLS"), found.get("EMAIL_USE_SSL")) == expected
        assert found["EMAIL_BACKEND"] == SMTP

    def test_names_and_passwords_may_have_any_letters(self) -> None:
        found = mail.settings("smtps://a%40b.example:p%2Fw%3A@mail.example.com")

        assert (found["EMAIL_HOST_USER"], found["EMAIL_HOST_PASSWORD"]) == ("a@b.example", "p/w:")

    def test_without_a_server_nothing_is_sent(self) -> None:
        assert mail.settings("") == {"EMAIL_BACKEND": DUMMY}


class TestConsole:
    def test_takes_it_from_the_environment(self, tmp_path: Path) -> None:
        names = "s.EMAIL_BACKEND, s.DEFAULT_FROM_EMAIL"
        without = settings(tmp_path, names)
        given = settings(tmp_path, names, EMAIL_URL="smtps://mail.example.com", EMAIL_FROM="Ops <ops@example.com>")

        assert without.stdout.strip() == f"{DUMMY} Marvin Console <console@localhost>"
        assert given.stdout.strip() == f"{SMTP} Ops <ops@example.com>"

    @pytest.mark.parametrize("url", ["hunter2", "http://hunter2@example.com", "smtp://", "smtp://hunter2:x@host:port"])
    def test_says_what_is_wrong_and_repeats_nothing(self, tmp_path: Path, url: str) -> None:
        ended = settings(tmp_path, "1", EMAIL_URL=url, EMAIL_FROM="no address\nBcc: x")

        assert "\n  EMAIL_URL: " in ended.stderr
        assert "\n  EMAIL_FROM: " in ended.stderr
        assert "hunter" not in ended.stderr
