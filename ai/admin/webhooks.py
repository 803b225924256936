"""Webhooks: forms over the service, the secret on one answer, and a test."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from ai.admin.parts import badges
from ai.admin.parts.base import ConsoleAdmin, answer, tenant_names
from ai.admin.parts.filters import TenantFilter, exact
from ai.admin.parts.forms import tenant_field
from ai.admin.parts.webhook_form import WebhookForm
from ai.exceptions import AIError, Forbidden, NotFound
from ai.models import Tenant, Webhook
from ai.services.webhooks import hooks

MADE_TITLE = "Its signing secret"


@admin.register(Webhook)
class WebhookAdmin(ConsoleAdmin):
    """Servers that are told of a tenant's events."""

    form = WebhookForm
    list_display = ("name_shown", "address", "event_count", "state", "created_at")
    list_display_links = ("name_shown",)
    list_filter = (exact("is_active", "state", [("1", "Active"), ("0", "Not active")]), TenantFilter)
    list_defer = ("encrypted_secret",)
    search_fields = ("name", "url")
    search_help_text = "A name, an address, or an ID"
    change_form_outer_before_template = "admin/ai/webhook/before.html"
    change_form_before_template = "admin/ai/webhook/seen.html"
    empty_title = "No webhooks yet"
    empty_text = (
        "Add the address of a server, and it is told when something happens here: signed, and again until it listens."
    )

    @display(description="Name")
    def name_shown(self, row: Webhook) -> SafeString:
        """What people call it."""
        return badges.clip(row.name, 40)

    @display(description="URL")
    def address(self, row: Webhook) -> SafeString:
        """Where events are posted to."""
        return badges.clip(row.url, 60)

    @display(description="Events")
    def event_count(self, row: Webhook) -> SafeString:
        """How many types."""
        return badges.badge(str(len(row.events)), "blue", title=", ".join(map(str, row.events)))

    @display(description="State")
    def state(self, row: Webhook) -> SafeString:
        """Whether it is told."""
        return state_badge(row)

    @display(description="Created")
    def created_at(self, row: Webhook) -> SafeString:
        """When it was added."""
        return badges.when(row.created)

    # -- The form
    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The tenant is chosen once."""
        first = ["name", "url"]
        if obj is None and tenant_field(request):
            first = ["tenant", *first]
        elif obj is not None and len(tenant_names(request)) > 1:
            first = ["tenant_shown", *first]
        return ((None, {"fields": (*first, "is_active")}), ("What is sent", {"fields": ("events", "with_text")}))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A webhook stays its tenant's."""
        return ("tenant_shown",) if obj else ()

    @display(description="Tenant")
    def tenant_shown(self, row: Webhook) -> str:
        """Whose it is."""
        return str(Tenant.objects.filter(pk__in=[row.tenant_id]).first() or "—")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form, with the tenant where it can be chosen."""
        field = tenant_field(request) if obj is None else None
        more: dict[str, Any] = {"refused": getattr(request, "_ai_refused", "")}
        if field:
            field.initial = request.GET.get("tenant", "")
            more["tenant"] = field
        kwargs["form"] = type("ThisWebhookForm", (WebhookForm,), more)
        return super().get_form(request, obj, change=change, **kwargs)

    def save_model(self, request: HttpRequest, obj: Webhook, form: Any, change: Any) -> None:
        """Through the service."""
        if change:
            hooks.change(row=obj, by=request.user, at=timezone.now())
            return
        obj.tenant_id = form.tenant_id()
        _, secret = hooks.add(row=obj, by=request.user, at=timezone.now())
        request._ai_secret = secret  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Webhook, post_url_continue: Any = None) -> HttpResponse:
        """The one answer with the secret."""
        return self.made_page(request, MADE_TITLE, obj, str(getattr(request, "_ai_secret", "")))

    def delete_model(self, request: HttpRequest, obj: Webhook) -> None:
        """Through the service."""
        hooks.delete(row=obj, by=request.user, at=timezone.now())

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """The form, with how it stands and what can be done."""
        context: dict[str, Any] = {}
        row = self.get_object(request, object_id) if object_id else None
        if row is not None and self.has_view_permission(request, row):
            may = self.has_change_permission(request, row)
            user: Any = request.user
            log = badges.url("ai_webhookdelivery_changelist", webhook_id=str(row.pk))
            context = {
                "hook": row,
                "state_badge": state_badge(row),
                "log_url": log if user.has_perm("ai.view_webhookdelivery") else "",
                "test_url": badges.url("ai_webhook_test", row.pk) if may and row.is_active else "",
                "renew_url": badges.url("ai_webhook_renew", row.pk) if may else "",
            }
        context |= extra_context or {}
        try:
            return super().changeform_view(request, object_id, form_url, context)
        except Forbidden as error:
            raise PermissionDenied(error.message) from error
        except NotFound as error:
            raise Http404(error.message) from error
        except AIError as error:
            # Nothing was written. The form comes again as it was sent, with the reason above it.
            request._ai_refused = error.message  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, form_url, context)

    # -- Further pages
    def extra_urls(self) -> Iterable[tuple[str, str, Callable[..., HttpResponse]]]:
        """The dialogs that test, and that give another secret."""
        return [
            ("<uuid:object_id>/test/", "test", self.test_view),
            ("<uuid:object_id>/renew/", "renew", self.renew_view),
        ]

    def _row(self, request: HttpRequest, object_id: Any) -> Webhook:
        row: Webhook = self.get_object_or_404(request, str(object_id))
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        return row

    def test_view(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Ask, then send a test."""
        row = self._row(request, object_id)
        back = badges.url("ai_webhook_change", row.pk)
        if request.method != "POST":
            text = f"“{row.name}” gets an event of the type webhook.test, signed like every other."
            return self.confirm(request, title="Send a test?", text=text, button="Send a test", back=back)

        def act() -> tuple[str, str]:
            sent = hooks.test(webhook_id=row.pk, by=request.user, at=timezone.now())
            where = badges.url("ai_webhookdelivery_change", sent.pk)
            return "The test is on its way.", where if request.user.has_perm("ai.view_webhookdelivery") else back

        return answer(request, back, act)

    def renew_view(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Ask, then make another secret and show it."""
        row = self._row(request, object_id)
        back = badges.url("ai_webhook_change", row.pk)
        if request.method != "POST":
            text = "Everything is signed with the new one from now on. The receiver refuses it until it knows it, too."
            return self.confirm(request, title="Another secret?", text=text, button="Make it", back=back, danger=True)
        try:
            renewed, secret = hooks.renew_secret(webhook_id=row.pk, by=request.user, at=timezone.now())
        except AIError as error:
            message = error.message
            return answer(request, back, lambda: (message, back))
        return self.made_page(request, MADE_TITLE, renewed, secret)


def state_badge(row: Webhook) -> SafeString:
    """Whether it is told, and if not why."""
    if row.paused_at:
        return badges.badge("Paused", "red", icon="pause", title=row.paused_because)
    if not row.is_active:
        return badges.badge("Not active", "gray")
    return (
        badges.badge("Failing", "orange", title=f"{row.failures} in a row")
        if row.failures
        else badges.badge("Active", "green")
    )
