"""A webhook and its receiver, and a worker that delivers at a time of one's choice."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ai import tenancy
from ai.models import Webhook, WebhookDelivery
from ai.services import audit, feedback
from ai.services.actors import SYSTEM
from ai.services.notifications import endings
from ai.services.webhooks import collecting, events, hooks, sending
from tests.fakes.receivers import Receiver
from tests.services.talk.conftest import NOW, Talk

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def hook(talk: Talk, receiver: Receiver, *wanted: str, **values: Any) -> tuple[Webhook, str]:
    row = Webhook(
        tenant_id=talk.tenant.pk, name="Bridge", url=receiver.url, events=list(wanted or events.TYPES), **values
    )
    collecting.sweep(at=NOW)
    return hooks.add(row=row, by=SYSTEM, at=NOW)


def collect(at: datetime = NOW) -> None:
    with tenancy.everything(reason="as a worker does"):
        audit.seal(at=at)
        collecting.sweep(at=at)
        endings.sweep(at=at)


def deliver(at: datetime = NOW, *, worker: str = "w1") -> list[bool]:
    keys = WebhookDelivery.objects.order_by("created", "pk").values_list("pk", flat=True)
    return [sending.deliver(delivery_id=key, worker=worker, now=lambda: at) for key in keys]


def rate(talk: Talk) -> Any:
    return feedback.give(message_id=talk.answer.pk, rating="down", comment="A secret", by=SYSTEM, at=NOW)


def types() -> list[str]:
    return list(WebhookDelivery.objects.order_by("created", "pk").values_list("event", flat=True))
