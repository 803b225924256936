"""What webhooks were told, and what they answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from ai.admin.parts import badges
from ai.admin.parts.base import ReadAdmin, answer, in_bulk
from ai.admin.parts.filters import DateFilter, TenantFilter, exact
from ai.models import Webhook, WebhookDelivery
from ai.models.webhooks import DeliveryState
from ai.services import rendering
from ai.services.webhooks import events, hooks

TONES = {DeliveryState.PENDING: "blue", DeliveryState.DELIVERED: "green", DeliveryState.FAILED: "red"}


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadAdmin):
    """The log of deliveries."""

    list_display = ("event_shown", "hook", "state_shown", "status", "attempts", "created_at", "next_shown")
    list_display_links = ("event_shown",)
    list_filter = (
        exact("state", "state", DeliveryState.choices),
        exact("event", "event", [(name, name) for name in (*events.TYPES, events.TEST)]),
        TenantFilter,
        ("created", DateFilter),
    )
    lookups = ("webhook_id",)
    list_defer = ("body", "answer")
    search_fields = ("event",)
    search_help_text = "An event, or an ID"
    page_template = "admin/ai/webhookdelivery/page.html"
    empty_title = "Nothing was sent yet"
    empty_text = "What webhooks are told appears here, with what they answered."

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        """The names of the webhooks: one query."""
        super().prepare_rows(request, rows)
        known = in_bulk(Webhook, {str(row.webhook_id) for row in rows}, "name")
        for row in rows:
            row.hook_row = known.get(str(row.webhook_id))

    @display(description="Event")
    def event_shown(self, row: WebhookDelivery) -> str:
        """Its type."""
        return row.event

    @display(description="Webhook")
    def hook(self, row: Any) -> SafeString:
        """Who was told."""
        name = row.hook_row.name if row.hook_row else "Deleted"
        return badges.link(
            badges.url("ai_webhook_change", row.webhook_id) if row.hook_row else "", badges.clip(name, 40)
        )

    @display(description="State")
    def state_shown(self, row: WebhookDelivery) -> SafeString:
        """Where it stands."""
        return state_badge(row)

    @display(description="Answer")
    def status(self, row: WebhookDelivery) -> SafeString:
        """The status of the last answer."""
        return badges.number(row.status_code)

    @display(description="Sent")
    def created_at(self, row: WebhookDelivery) -> SafeString:
        """When it was made."""
        return badges.when(row.created)

    @display(description="Next attempt")
    def next_shown(self, row: WebhookDelivery) -> SafeString:
        """When it is tried again."""
        return badges.when(row.next_at)

    def page_context(self, request: HttpRequest, row: WebhookDelivery) -> dict[str, Any]:
        """The delivery with what was sent and answered."""
        hook = Webhook.objects.filter(pk=row.webhook_id).first()
        may = hook is not None and request.user.has_perm("ai.change_webhook")
        over = row.state != DeliveryState.PENDING
        user: Any = request.user
        return {
            "subtitle": row.event,
            "state_badge": state_badge(row),
            "hook": hook,
            "hook_url": badges.url("ai_webhook_change", hook.pk) if hook and user.has_perm("ai.view_webhook") else "",
            "body": rendering.json_text(_indented(row.body)),
            "again_url": badges.url("ai_webhookdelivery_again", row.pk) if may and over else "",
            "list_url": badges.url("ai_webhookdelivery_changelist", webhook_id=str(row.webhook_id)),
            "message_id": f"msg_{row.pk.hex}",
        }

    # -- Sending again
    def extra_urls(self) -> Iterable[tuple[str, str, Callable[..., HttpResponse]]]:
        """The dialog that sends it again."""
        return [("<uuid:object_id>/again/", "again", self.again_view)]

    def again_view(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Ask, then send it again."""
        row = self.get_object_or_404(request, str(object_id))
        if not request.user.has_perm("ai.change_webhook"):
            raise PermissionDenied
        back = badges.url("ai_webhookdelivery_change", row.pk)
        if request.method != "POST":
            text = "The same is sent under the same id, so that a receiver that has it already can tell."
            return self.confirm(request, title="Send it again?", text=text, button="Send again", back=back)

        def act() -> tuple[str, str]:
            hooks.send_again(delivery_id=row.pk, by=request.user, at=timezone.now())
            return "It is on its way again.", back

        return answer(request, back, act)


def state_badge(row: WebhookDelivery) -> SafeString:
    """Where a delivery stands."""
    return badges.badge(row.get_state_display(), TONES.get(DeliveryState(row.state), "gray"))


def _indented(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body
