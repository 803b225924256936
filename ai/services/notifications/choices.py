"""What people want to be told of, and where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from ai import conf
from ai.exceptions import InvalidInput
from ai.models import NotificationChoice
from ai.models.notifications import Email, Kind
from ai.services import actors, audit

#: Backends that send nothing.
SILENT = frozenset({"django.core.mail.backends.dummy.EmailBackend"})


class Choice(NamedTuple):
    """Whether the console tells somebody of a kind of event, and when an e-mail does."""

    in_console: bool = True
    email: str = Email.NEVER


def can_mail() -> bool:
    """Whether this installation sends e-mail: it has a server to send by, and knows its own address to link to."""
    return bool(conf.current().console_url) and _backend() not in SILENT


def _backend() -> str:
    """What sends e-mail. Django 6.1 has `MAILERS`, beside which the older setting cannot even be read."""
    mailers = getattr(settings, "MAILERS", None)
    if mailers:
        return str(mailers.get("default", {}).get("BACKEND", ""))
    return str(settings.EMAIL_BACKEND)


def of(user_ids: Iterable[str], *, kind: str) -> dict[str, Choice]:
    """What these people want of a kind of event; who has chosen nothing is left out."""
    rows = NotificationChoice.objects.filter(user_id__in=list(user_ids), kind=kind)
    return {row.user_id: Choice(row.in_console, row.email) for row in rows}


def mine(by: Any) -> dict[str, Choice]:
    """What `by` wants, of every kind."""
    rows = NotificationChoice.objects.filter(user_id=actors.id_of(by))
    known = {row.kind: Choice(row.in_console, row.email) for row in rows}
    return {kind: known.get(kind, Choice()) for kind in Kind.values}


@transaction.atomic
def choose(wanted: Mapping[str, Choice], *, by: Any, at: datetime) -> int:
    """Keep what `by` wants; how much of it is new.

    Raises:
        InvalidInput: there is no such kind, or no such time for e-mail.
    """
    for kind, choice in wanted.items():
        if kind not in Kind.values or choice.email not in Email.values:
            raise InvalidInput("Choose one of what the page offers.")
    key, before = actors.id_of(by), mine(by)
    changed = {kind: choice for kind, choice in wanted.items() if before[kind] != choice}
    for kind, choice in changed.items():
        NotificationChoice.objects.choose(key, kind, in_console=choice.in_console, email=choice.email, at=at)
    if changed:
        said: dict[str, Any] = {
            kind: {"console": choice.in_console, "email": str(choice.email)} for kind, choice in changed.items()
        }
        audit.record("notifications.chosen", by=by, at=at, **said)
    return len(changed)


def next_digest(at: datetime) -> datetime:
    """When the next daily e-mail is sent: at `AI_DIGEST_HOUR` in the installation's zone."""
    local = at.astimezone(timezone.get_default_timezone())
    today = local.replace(hour=conf.current().digest_hour, minute=0, second=0, microsecond=0)
    return today if today > local else today + timedelta(days=1)
