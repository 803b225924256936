"""Who came in and who left, as Django tells it, for the audit log."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.utils import timezone

from ai.services import audit
from ai.services.actors import Actor


def connect() -> None:
    """Listen from now on."""
    for signal, heard in ((user_logged_in, _came), (user_logged_out, _left), (user_login_failed, _refused)):
        signal.connect(heard, dispatch_uid=f"ai.{heard.__name__}")


def _came(user: Any, **_: Any) -> None:
    audit.record("login", by=user, at=timezone.now())


def _left(user: Any, **_: Any) -> None:
    if user is not None:  # whose session had run out
        audit.record("logout", by=user, at=timezone.now())


def _refused(credentials: dict[str, Any], request: Any = None, **_: Any) -> None:
    """The name is what somebody typed, and may be nobody's."""
    name = str(credentials.get("username") or "")[:150]
    audit.record("login.refused", by=Actor("", name), at=timezone.now())
