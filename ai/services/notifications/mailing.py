"""Sending the e-mails about notifications: at once, or one a day with all of them.

The rows are the truth: one that waits is claimed by one worker, sent, and settled. What a worker that died held is sent by
another; its `Message-ID` is the same then, so that a mail program shows it once.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.template.loader import render_to_string

from ai import conf, dispatch, ids, tenancy
from ai.models import Notification
from ai.models.notifications import Email, EmailState, Kind
from ai.services import people, rendering
from ai.services.notifications import choices, places

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]

MOST_TRIES = 8
FIRST_WAIT = timedelta(minutes=1)
#: Notifications are kept so long.
KEPT = timedelta(days=180)
MOST_IN_DIGEST = 100
#: What somebody needs to be told of a kind of event, and of a kind of row where that makes a difference. A job is one's own.
NEEDED: Mapping[tuple[str, str], str] = {
    (Kind.MENTION, ""): "view_chatthread",
    (Kind.MENTION, "feedback"): "view_feedback",
    (Kind.REPLY, ""): "view_chatthread",
    (Kind.ASSIGNED, ""): "change_feedback",
    (Kind.REVIEW, ""): "review_reviewqueue",
    (Kind.SNOOZE, ""): "change_feedback",
    (Kind.WEBHOOK, ""): "change_webhook",
}


def sweep(*, at: datetime) -> int:
    """Wake workers for e-mails that are due; for how many persons. Its caller sees every tenant."""
    Notification.objects.forget(before=at - KEPT)
    if not choices.can_mail():
        return 0
    due = Notification.objects.due(at=at)
    Notification.objects.woken(due, at=at)
    for user_id in due:
        dispatch.mail(user_id=user_id)
    return len(due)


def send(*, user_id: str, worker: str, now: Clock) -> int:
    """Send what is due for one person; how many e-mails that were."""
    if not choices.can_mail():
        return 0
    lease = ids.lease(worker)
    with tenancy.everything(reason="sending notifications by e-mail"):
        rows = Notification.objects.claim(user_id, worker=lease, at=now())
        digest = [row for row in rows if row.email == Email.DIGEST]
        groups = [[row] for row in rows if row.email != Email.DIGEST]
        groups += [digest[start : start + MOST_IN_DIGEST] for start in range(0, len(digest), MOST_IN_DIGEST)]
        return sum(_send(group, user_id, worker=lease, now=now) for group in groups)


def _user(user_id: str) -> Any:
    """The account, when it has an address that can be written to."""
    user = get_user_model()._default_manager.filter(pk=user_id, is_active=True).first()
    try:
        validate_email(getattr(user, "email", ""))
    except ValidationError:
        return None
    return user


def _is_wanted(row: Notification, user: Any) -> bool:
    """Whether the person may still know of it, and has not seen to it already."""
    if row.email == Email.DIGEST and row.is_read:
        return False
    needed = NEEDED.get((row.kind, row.target_type)) or NEEDED.get((row.kind, ""), "")
    return people.works_for(user, row.tenant_id) and (not needed or user.has_perm(f"ai.{needed}"))


def _send(claimed: Sequence[Notification], user_id: str, *, worker: str, now: Clock) -> bool:
    """Whether it went. A server that is down is tried again later."""
    rows, user = _wanted(claimed, user_id, worker=worker, at=now())
    keys = [row.pk for row in rows]
    if not keys:
        return False
    try:
        _message(rows, user).send()
    except (OSError, smtplib.SMTPException) as error:
        at, tries = now(), max(row.email_tries for row in rows) + 1
        log.warning("An e-mail to user %s was not sent (attempt %d): %s", user.pk, tries, type(error).__name__)
        if tries >= MOST_TRIES:
            Notification.objects.settle(keys, worker=worker, state=EmailState.FAILED, at=at)
        else:
            Notification.objects.put_off(keys, worker=worker, until=at + FIRST_WAIT * 3 ** (tries - 1), at=at)
        return False
    Notification.objects.settle(keys, worker=worker, state=EmailState.SENT, at=now())
    return True


def _wanted(
    claimed: Sequence[Notification], user_id: str, *, worker: str, at: datetime
) -> tuple[list[Notification], Any]:
    """What is to be sent of it, as it is now, and to whom; the rest is settled.

    The e-mails before it may have taken long. Meanwhile another worker may have taken some of it over, words may have been
    changed or deleted, and the person may have read it or may not see it any more.
    """
    rows = Notification.objects.hold_on([row.pk for row in claimed], worker=worker, at=at)
    user = _user(user_id)
    wanted = [row for row in rows if user is not None and _is_wanted(row, user)]
    dropped = [row.pk for row in rows if row not in wanted]
    Notification.objects.settle(dropped, worker=worker, state=EmailState.DROPPED, at=at)
    return wanted, user


def _message(rows: Sequence[Notification], user: Any) -> EmailMultiAlternatives:
    """The e-mail, as plain text and as HTML."""
    is_digest = rows[0].email == Email.DIGEST
    lines = [{"row": row, "title": _shown(row.title), "text": _shown(row.text), "url": _url(row)} for row in rows]
    subject = f"{len(rows)} new in Marvin Console" if is_digest and len(rows) > 1 else _shown(rows[0].title)
    context = {"lines": lines, "user": user, "choices_url": _absolute(places.choices_path())}
    host = urlsplit(conf.current().console_url).hostname or "console"
    mail = EmailMultiAlternatives(
        subject=" ".join(subject.split())[:200],
        body=render_to_string("admin/ai/notification/mail.txt", context),
        to=[user.email],
        headers={"Message-ID": f"<{rows[0].pk.hex}@{host}>", "Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(render_to_string("admin/ai/notification/mail.html", context), "text/html")
    return mail


def _shown(text: str) -> str:
    return " ".join(rendering.visible(text).split())


def _url(row: Notification) -> str:
    path = places.path_of(row)
    return _absolute(path) if path else ""


def _absolute(path: str) -> str:
    return conf.current().console_url.rstrip("/") + path


def sender() -> str:
    """Whom e-mails come from, as the page of choices says."""
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
