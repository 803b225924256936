"""Remote connections: forms over the service, and "Test connection"."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from ai.admin.parts import badges
from ai.admin.parts.base import ConsoleAdmin, answer, tenant_names
from ai.admin.parts.configuration_csv import ConfigurationCsv
from ai.admin.parts.connection_form import RemoteConnectionForm
from ai.admin.parts.filters import TenantFilter, exact
from ai.admin.parts.forms import tenant_field
from ai.models import RemoteConnection, Tenant
from ai.models.connections import Makes
from ai.services import connections


def key_badge(row: RemoteConnection) -> SafeString:
    """Whether there is a key, never what it is."""
    if row.encrypted_key:
        return badges.badge("Key stored", "green", icon="lock")
    return badges.badge("Key missing", "red", icon="key_off")


@admin.register(RemoteConnection)
class RemoteConnectionAdmin(ConfigurationCsv, ConsoleAdmin):
    """Servers where the remote sides of a tenant's threads live."""

    form = RemoteConnectionForm
    csv_about = (
        "API keys are not in such files; connections that are here keep theirs, unless they lead to another server."
    )
    list_display = ("name_shown", "address", "key", "made", "at_a_time", "state")
    list_display_links = ("name_shown",)
    list_filter = (
        exact("makes", "new remote sides", Makes.choices),
        exact("is_enabled", "state", [("1", "Enabled"), ("0", "Off")]),
        TenantFilter,
    )
    search_fields = ("name", "base_url")
    search_help_text = "A name, an address, or an ID"
    change_form_outer_before_template = "admin/ai/remoteconnection/before.html"
    empty_title = "No remote connections yet"
    empty_text = (
        "Add the server where conversations live: OpenAI, another console, or anything that serves threads. "
        "Then threads can be brought in, kept in step, and moved."
    )

    @display(description="Name")
    def name_shown(self, row: RemoteConnection) -> SafeString:
        """What people choose."""
        return badges.clip(row.name, 40)

    @display(description="Base URL")
    def address(self, row: RemoteConnection) -> SafeString:
        """Where it is."""
        return badges.clip(row.url, 50)

    @display(description="API key")
    def key(self, row: RemoteConnection) -> SafeString:
        """Whether there is one."""
        return key_badge(row)

    @display(description="Makes")
    def made(self, row: RemoteConnection) -> str:
        """What new remote sides are."""
        return str(row.get_makes_display())

    @display(description="Calls at a time")
    def at_a_time(self, row: RemoteConnection) -> SafeString:
        """How many."""
        return badges.number(row.concurrency)

    @display(description="State")
    def state(self, row: RemoteConnection) -> SafeString:
        """Whether it is used."""
        if not row.is_enabled:
            return badges.badge("Off", "gray")
        return badges.badge("Default", "violet") if row.is_default else badges.badge("Enabled", "green")

    # -- The form
    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The tenant is chosen once, the key's fields are for those who may change it."""
        first = ["name", "base_url", "makes", "is_default", "is_enabled"]
        if obj is None and tenant_field(request):
            first = ["tenant", *first]
        elif obj is not None and len(tenant_names(request)) > 1:
            first = ["tenant_shown", *first]
        may_write = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        key = ["api_key", *(["forget_key"] if obj and obj.encrypted_key else [])]
        groups: list[Any] = [(None, {"fields": first})]
        if may_write:
            groups.append(("API key", {"fields": key}))
        return [*groups, ("Details", {"fields": ("organization", "project", "api_version", "concurrency")})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A connection stays its tenant's."""
        return ("tenant_shown",) if obj else ()

    @display(description="Tenant")
    def tenant_shown(self, row: RemoteConnection) -> str:
        """Whose it is."""
        return str(Tenant.objects.filter(pk__in=[row.tenant_id]).first() or "—")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form, with the tenant where it can be chosen."""
        field = tenant_field(request) if obj is None else None
        if field:
            field.initial = request.GET.get("tenant", "")
            kwargs["form"] = type("NewConnectionForm", (RemoteConnectionForm,), {"tenant": field})
        return super().get_form(request, obj, change=change, **kwargs)

    def save_model(self, request: HttpRequest, obj: RemoteConnection, form: Any, change: Any) -> None:
        """Through the service."""
        had_key, key = bool(obj.encrypted_key), form.key()
        obj.tenant_id = form.tenant_id()
        connections.save(row=obj, api_key=key, by=request.user, at=timezone.now())
        if had_key and key is None and not obj.encrypted_key:
            said = f"“{obj.name}” leads to another server now, so its stored key was forgotten. Enter the key again."
            messages.warning(request, said)

    def delete_model(self, request: HttpRequest, obj: RemoteConnection) -> None:
        """Through the service."""
        connections.delete(row=obj, by=request.user, at=timezone.now())

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """The form, with whether there is a key, and the button that tests."""
        context: dict[str, Any] = {}
        row = self.get_object(request, object_id) if object_id else None
        if row is not None and self.has_view_permission(request, row):
            may_test = self.has_test_permission(request) and row.is_enabled
            context = {"key_badge": key_badge(row), "is_off": not row.is_enabled}
            context["test_url"] = badges.url("ai_remoteconnection_test", row.pk) if may_test else ""
        return super().changeform_view(request, object_id, form_url, {**context, **(extra_context or {})})

    # -- Test connection
    def has_test_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """`ai.test_remoteconnection`."""
        return self.may(request, "test")

    def extra_urls(self) -> Iterable[tuple[str, str, Callable[..., HttpResponse]]]:
        """The dialog that tests."""
        return [("<uuid:object_id>/test/", "test", self.test_view)]

    def test_view(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Ask, then call the server."""
        row = self.get_object_or_404(request, str(object_id))
        if not self.has_test_permission(request):
            raise PermissionDenied
        back = badges.url("ai_remoteconnection_change", row.pk)
        if request.method != "POST":
            text = f"“{row.name}” is asked for a thread and a conversation that do not exist. Nothing is changed there."
            return self.confirm(request, title="Test the connection?", text=text, button="Test connection", back=back)

        def act() -> tuple[str, str]:
            found = connections.test(row=row, by=request.user, at=timezone.now())
            said = " and ".join(found.serves)
            return f"“{row.name}” answered in {found.latency_ms:,} ms. It serves {said}.", back

        return answer(request, back, act)
