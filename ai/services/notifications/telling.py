"""Making notifications, and waking a worker for the e-mails among them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from ai import dispatch, tenancy
from ai.models import Notification
from ai.models.notifications import Email, EmailState
from ai.services import actors, people
from ai.services.notifications import choices
from ai.services.notifications.choices import Choice
from ai.stores.serialization import clean_text

TITLE_CHARACTERS = TEXT_CHARACTERS = 300


def tell(
    kind: str,
    *,
    to: Iterable[Any],
    key: str,
    title: str,
    by: Any,
    at: datetime,
    tenant_id: UUID | None,
    text: str = "",
    thread_id: UUID | None = None,
    message_id: UUID | None = None,
    target: Any = None,
) -> set[str]:
    """Tell these users of something, each as they have chosen. Nobody is told what they did themselves.

    Args:
        kind: one of `ai.models.notifications.Kind`.
        key: names the event; who was told of it before is not told again.
        text: how it begins, in words that everybody named in `to` may read. Never what a blind review says.
        target: the row that it is about, where there is one besides the thread and message.

    Returns:
        The ids (`actors.id_of`) of those who want to know and had not been told.

    Call it in the transaction of what happened.
    """
    actor = actors.id_of(by)
    users = {actors.id_of(user): user for user in to if user.is_active and actors.id_of(user) != actor}
    if not users:
        return set()
    wants = choices.of(users, kind=kind)
    rows = [
        Notification(
            tenant_id=tenant_id, user_id=user_id, kind=kind, key=key[:120], at=at, actor=actors.name_of(by)[:255],
            title=_line(title)[:TITLE_CHARACTERS], text=_line(text)[:TEXT_CHARACTERS], thread_id=thread_id,
            message_id=message_id, target_type=target._meta.model_name if target is not None else "",
            target_id=str(target.pk) if target is not None else "", **_values(wants.get(user_id, Choice()), at),
        )
        for user_id in users
        if _wants(wants.get(user_id, Choice()))
    ]  # fmt: skip
    with tenancy.everything(reason="telling people of what happened"):
        told = Notification.objects.told(key[:120], users)
        new = [row for row in rows if row.user_id not in told]
        Notification.objects.add(new)
    for row in new:
        if row.email == Email.ONCE and row.email_state == EmailState.PENDING:
            dispatch.mail(user_id=row.user_id)
    return {row.user_id for row in new}


def tell_named(kind: str, *, names: Iterable[str], **what: Any) -> set[str]:
    """`tell`, for people known by their user names; what is no name of active staff is passed over."""
    wanted = [name for name in names if name]
    return tell(kind, to=people.named(wanted).values(), **what) if wanted else set()


def reword(*, target: Any, text: str, at: datetime) -> int:
    """Let what people were told of a row of a thread say what it says now; how many they are.

    Where it says nothing any more, e-mails about it that still wait are not sent.
    """
    words = _line(text)[:TEXT_CHARACTERS]
    return Notification.objects.reword(target, words, is_mailed=bool(words), at=at)


def _wants(choice: Choice) -> bool:
    return choice.in_console or (choice.email != Email.NEVER and choices.can_mail())


def _values(choice: Choice, at: datetime) -> dict[str, Any]:
    """The columns that follow from what the person has chosen."""
    is_mailed = choice.email != Email.NEVER and choices.can_mail()
    after = choices.next_digest(at) if choice.email == Email.DIGEST else at
    return {
        "in_console": choice.in_console,
        "email": choice.email,
        "email_state": EmailState.PENDING if is_mailed else EmailState.NONE,
        "email_after": after if is_mailed else None,
        # A worker is woken for what goes at once.
        "email_woken_at": at if is_mailed and choice.email == Email.ONCE else None,
    }


def _line(text: str) -> str:
    """On one line: a title also becomes the subject of an e-mail."""
    return " ".join(clean_text(text).split())
