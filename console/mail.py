"""The server that sends e-mail, from one address."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import django

DUMMY = "django.core.mail.backends.dummy.EmailBackend"
SMTP = "django.core.mail.backends.smtp.EmailBackend"
#: How the connection is made safe, and the usual port.
WAYS: dict[str, tuple[dict[str, bool], int]] = {
    "smtp": ({}, 25),
    "smtp+tls": ({"use_tls": True}, 587),
    "smtps": ({"use_ssl": True}, 465),
}
SECONDS = 20
#: What Django before 6.1 calls the options.
NAMES = {
    "host": "EMAIL_HOST",
    "port": "EMAIL_PORT",
    "username": "EMAIL_HOST_USER",
    "password": "EMAIL_HOST_PASSWORD",
    "timeout": "EMAIL_TIMEOUT",
    "use_tls": "EMAIL_USE_TLS",
    "use_ssl": "EMAIL_USE_SSL",
}


def options(url: str) -> dict[str, Any]:
    """The options of the server at `smtp+tls://user:password@host:587`; none without one.

    Raises:
        ValueError: it is no such address; what is in it is not repeated.
    """
    if not url:
        return {}
    try:
        parts = urlsplit(url)
    except ValueError:
        # Its own words repeat what is in the address.
        raise ValueError("it cannot be read: write special characters of the name and password as %XX") from None
    try:
        port = parts.port
    except ValueError:
        raise ValueError("the port is no number") from None
    if parts.scheme not in WAYS or not parts.hostname:
        raise ValueError("give smtp+tls://user:password@host:587, smtps://… or smtp://…")
    safety, usual = WAYS[parts.scheme]
    return {
        "host": parts.hostname,
        "port": port or usual,
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "timeout": SECONDS,
        **safety,
    }


def settings(url: str) -> dict[str, Any]:
    """Django's settings for that server; without one no e-mail is sent."""
    given = options(url)
    backend = SMTP if given else DUMMY
    if django.VERSION >= (6, 1):
        return {"MAILERS": {"default": {"BACKEND": backend, "OPTIONS": given}}}
    return {"EMAIL_BACKEND": backend, **{NAMES[name]: value for name, value in given.items()}}
