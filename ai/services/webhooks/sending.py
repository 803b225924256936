"""Delivering: one attempt at a time, tried again for three days, by whichever worker is there."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync

from ai import conf, dispatch, tenancy
from ai.exceptions import Misconfigured
from ai.models import Webhook, WebhookDelivery
from ai.models.webhooks import ANSWER_CHARACTERS, DeliveryState
from ai.remote import posting
from ai.remote.posting import Answer
from ai.services import actors, audit, notifications, people, rendering
from ai.services.webhooks import signing

Clock = Callable[[], datetime]

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=10), timedelta(hours=12)
#: Each wait is so many times as long as the one before, and by up to a fifth longer or shorter.
FACTOR, JITTER = 3, 0.2
GIVEN_UP = timedelta(days=3)
#: So many failures in a row, of whichever deliveries, pause a webhook.
MOST_FAILURES = 50
GONE = 410


def wait_after(attempts: int, *, spread: float, asked: float | None = None) -> timedelta:
    """How long to wait after so many attempts; `spread` is from 0 to 1, `asked` what the server wants, in seconds."""
    wait: timedelta = min(FIRST_WAIT * FACTOR ** min(attempts - 1, 20), LONGEST_WAIT) * (
        1 - JITTER + 2 * JITTER * spread
    )
    return min(max(wait, timedelta(seconds=asked or 0)), LONGEST_WAIT * (1 + JITTER))


def sweep(*, at: datetime, dead_workers: Iterable[str] = ()) -> int:
    """Wake workers for deliveries that are due, or were held by dead workers; how many. Its caller sees every tenant."""
    if dead := list(dead_workers):
        WebhookDelivery.objects.release(dead, at=at)
    WebhookDelivery.objects.forget(before=at - timedelta(days=conf.current().webhook_keep_days))
    due = WebhookDelivery.objects.due(at=at)
    WebhookDelivery.objects.woken(due, at=at)
    for key in due:
        dispatch.deliver(delivery_id=key)
    return len(due)


def deliver(*, delivery_id: UUID, worker: str, now: Clock) -> bool:
    """Try a delivery once, if it is due and nobody else has it; whether it arrived."""
    with tenancy.everything(reason="delivering to a webhook"):
        row = WebhookDelivery.objects.claim(delivery_id, worker=worker, at=now())
        if row is None:
            return False
        hook: Webhook | None = Webhook.objects.filter(pk=row.webhook_id).first()
        if hook is None:
            WebhookDelivery.objects.settle(row, state=DeliveryState.FAILED, at=now(), error="The webhook was deleted.")
            return False
        answer = _post(hook, row, at=now())
        return _settle(hook, row, answer, at=now())


def _post(hook: Webhook, row: WebhookDelivery, *, at: datetime) -> Answer:
    body = row.body.encode()
    try:
        signed = signing.headers(secret=hook.secret(), message_id=f"msg_{row.pk.hex}", at=at, body=body)
    except Misconfigured as error:
        return Answer(error=error.message)
    headers = {**signed, "content-type": "application/json", "user-agent": "marvin-console"}
    answer: Answer = async_to_sync(posting.post)(hook.url, body, headers)
    return answer


def _settle(hook: Webhook, row: WebhookDelivery, answer: Answer, *, at: datetime) -> bool:
    """Write what became of the attempt, and see to the webhook."""
    values: dict[str, Any] = {
        "status_code": answer.status,
        "answer": rendering.visible(answer.text)[:ANSWER_CHARACTERS],
        "error": answer.error[:300],
        "duration_ms": answer.milliseconds,
    }
    if answer.is_fine:
        WebhookDelivery.objects.settle(row, state=DeliveryState.DELIVERED, at=at, **values)
        Webhook.objects.worked(hook.pk)
        return True
    next_at = at + wait_after(row.attempts, spread=random.random(), asked=answer.retry_after)  # noqa: S311 - no secret
    is_over = next_at > row.first_at + GIVEN_UP
    state = DeliveryState.FAILED if is_over else DeliveryState.PENDING
    if WebhookDelivery.objects.settle(row, state=state, at=at, next_at=next_at, **values):
        _count(hook, answer, at=at)
    return False


def _count(hook: Webhook, answer: Answer, *, at: datetime) -> None:
    """Pause a webhook whose server is gone for good, as it says itself or as many failures in a row do."""
    count = Webhook.objects.failed(hook.pk)
    if answer.status == GONE:
        _pause(hook, "Its server says that it is gone (410).", at=at)
    elif count >= MOST_FAILURES:
        last = f"status {answer.status}" if answer.status else answer.error
        _pause(hook, f"{count} deliveries in a row failed. The last one: {last}", at=at)


def _pause(hook: Webhook, reason: str, *, at: datetime) -> None:
    if not Webhook.objects.pause(hook.pk, reason=reason, at=at):
        return
    audit.record("webhook.paused", target=hook, by=actors.SYSTEM, at=at, reason=reason[:300])
    notifications.tell(
        "webhook", to=people.leads(hook.tenant_id, codename="change_webhook"), by=actors.SYSTEM, at=at,
        key=f"webhook:{hook.pk}:{int(at.timestamp())}", tenant_id=hook.tenant_id,
        title=f"The webhook “{hook.name}” was paused", text=reason, target=hook,
    )  # fmt: skip
