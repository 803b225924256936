"""What a person can do with webhooks: keep them, test them, and have something sent again."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db import IntegrityError, transaction

from ai import dispatch, ids
from ai.exceptions import Conflict, InvalidInput, NotFound
from ai.models import Webhook, WebhookDelivery
from ai.remote import posting
from ai.services import audit, permissions
from ai.services.webhooks import collecting, events, signing

MOST_HOOKS = 50


def check(row: Webhook) -> None:
    """Whether a webhook may be so.

    Raises:
        InvalidInput: the URL is one that nothing may be posted to, or there are no events that it waits for.
    """
    posting.check(row.url)
    if not row.events or not set(row.events) <= set(events.TYPES):
        raise InvalidInput("Choose at least one of the events.", param="events")


@transaction.atomic
def add(*, row: Webhook, by: Any, at: datetime) -> tuple[Webhook, str]:
    """Keep a new webhook; with it its secret, which is shown now and never again.

    Raises:
        Forbidden, InvalidInput.
        Conflict: the tenant has a webhook of this name.
        OutsideTenant: the tenant is not in scope.
        Misconfigured: `AI_SECRETS_KEY` is not usable.
    """
    permissions.require(by, "ai.add_webhook")
    check(row)
    row.tenant_id = Webhook.objects.tenant_for_new_row(row.tenant_id)
    if Webhook.objects.filter(tenant_id=row.tenant_id)[MOST_HOOKS - 1 :].exists():
        raise InvalidInput(f"A tenant has at most {MOST_HOOKS} webhooks.")
    secret = signing.new_secret()
    row.set_secret(secret)
    _save(row)
    audit.record("webhook.added", target=row, by=by, at=at, name=row.name, url=_where(row), events=row.events)
    return row, secret


@transaction.atomic
def change(*, row: Webhook, by: Any, at: datetime) -> Webhook:
    """Write what was changed about a webhook. One that is active again has failed nothing yet.

    Raises:
        Forbidden, InvalidInput, NotFound.
        Conflict: the tenant has a webhook of this name, or it was paused or made active meanwhile.
    """
    permissions.require(by, "ai.change_webhook")
    check(row)
    before = Webhook.objects.select_for_update().filter(pk=row.pk).first()
    if before is None:
        raise NotFound
    if before.paused_at != row.paused_at:
        raise Conflict("The webhook was paused or made active meanwhile. Look at it again.")
    row.encrypted_secret = before.encrypted_secret
    row.failures = before.failures
    if row.is_active:
        row.paused_at, row.paused_because = None, ""
        row.failures = before.failures if before.is_active else 0
    _save(row)
    audit.record(
        "webhook.changed", target=row, by=by, at=at, name=row.name, url=_where(row), events=row.events,
        active=row.is_active, with_text=row.with_text,
    )  # fmt: skip
    return row


@transaction.atomic
def renew_secret(*, webhook_id: UUID, by: Any, at: datetime) -> tuple[Webhook, str]:
    """Give a webhook another secret; from now on everything is signed with it.

    Raises:
        Forbidden, NotFound, Misconfigured.
    """
    permissions.require(by, "ai.change_webhook")
    row = one(webhook_id)
    secret = signing.new_secret()
    row.set_secret(secret)
    row.save(update_fields=["encrypted_secret", "modified"])
    audit.record("webhook.secret_renewed", target=row, by=by, at=at, name=row.name)
    return row, secret


@transaction.atomic
def delete(*, row: Webhook, by: Any, at: datetime) -> None:
    """Delete a webhook with its deliveries.

    Raises:
        Forbidden.
    """
    permissions.require(by, "ai.delete_webhook")
    audit.record("webhook.deleted", target=row, by=by, at=at, name=row.name, url=_where(row))
    WebhookDelivery.objects.filter(webhook_id=row.pk).delete()
    row.delete()


@transaction.atomic
def test(*, webhook_id: UUID, by: Any, at: datetime) -> WebhookDelivery:
    """Have an event of the type `webhook.test` sent, whatever events the webhook waits for.

    Raises:
        Forbidden, NotFound.
        Conflict: it is not active.
    """
    permissions.require(by, "ai.change_webhook")
    hook = one(webhook_id)
    if not hook.is_active:
        raise Conflict(f"“{hook.name}” is not active; make it active first.")
    key = f"test:{ids.new().hex}"
    row = collecting.delivery(hook, events.TEST, key=key, data={"webhook_id": str(hook.pk)}, happened=at, at=at)
    WebhookDelivery.objects.add([row])
    audit.record("webhook.tested", target=hook, by=by, at=at, delivery=str(row.pk))
    dispatch.deliver(delivery_id=row.pk)
    return row


@transaction.atomic
def send_again(*, delivery_id: UUID, by: Any, at: datetime) -> WebhookDelivery:
    """Send something again, under the same id, so that a receiver that has it can tell.

    Raises:
        Forbidden, NotFound.
        Conflict: it is still waiting, or the webhook is not active.
    """
    permissions.require(by, "ai.change_webhook")
    row: WebhookDelivery | None = WebhookDelivery.objects.filter(pk=delivery_id).first()
    if row is None:
        raise NotFound
    hook = one(row.webhook_id)
    if not hook.is_active:
        raise Conflict(f"“{hook.name}” is not active; make it active first.")
    if not WebhookDelivery.objects.again(row.pk, at=at):
        raise Conflict("It has not ended yet: it is tried again by itself.")
    audit.record("webhook.sent_again", target=hook, by=by, at=at, delivery=str(row.pk))
    dispatch.deliver(delivery_id=row.pk)
    return row


def one(webhook_id: UUID) -> Webhook:
    """The webhook, in scope.

    Raises:
        NotFound.
    """
    row: Webhook | None = Webhook.objects.filter(pk=webhook_id).first()
    if row is None:
        raise NotFound
    return row


def _save(row: Webhook) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise Conflict("The tenant has a webhook of this name.") from error


def _where(row: Webhook) -> str:
    """Where it leads: the server alone, for with many services the path is the secret."""
    parts = urlsplit(row.url)
    return f"{parts.scheme}://{parts.netloc}"
