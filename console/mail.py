"""The server that sends e-mail, from one address."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

#: How the connection is made safe, and the usual port.
WAYS: dict[str, tuple[dict[str, bool], int]] = {
    "smtp": ({}, 25),
    "smtp+tls": ({"EMAIL_USE_TLS": True}, 587),
    "smtps": ({"EMAIL_USE_SSL": True}, 465),
}
SECONDS = 20


def settings(url: str) -> dict[str, Any]:
    """Django's settings for the server at `smtp+tls://user:password@host:587`; without one no e-mail is sent.

    Raises:
        ValueError: it is no such address; what is in it is not repeated.
    """
    if not url:
        return {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise ValueError("the port is no number") from None
    if parts.scheme not in WAYS or not parts.hostname:
        raise ValueError("give smtp+tls://user:password@host:587, smtps://… or smtp://…")
    safety, usual = WAYS[parts.scheme]
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port or usual,
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_TIMEOUT": SECONDS,
        **safety,
    }
