"""Remote connections: forms over the service, and "Test connection"."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from ai.admin.parts import badges
from ai.admin.parts.base import tenant_names
from ai.admin.parts.configuration_csv import ConfigurationCsv
from ai.admin.parts.connection_form import RemoteConnectionForm
from ai.admin.parts.filters import TenantFilter, exact
from ai.admin.parts.forms import tenant_field
from ai.admin.parts.tested import TestedAdmin, Trial
from ai.models import RemoteConnection, Tenant
from ai.models.connections import Makes
from ai.services import connections


def key_badge(row: RemoteConnection) -> SafeString:
    """Whether there is a key, never what it is."""
    if row.encrypted_key:
        return badges.badge("Key stored", "green", icon="lock")
    return badges.badge("Key missing", "red", icon="key_off")


def _asks(row: RemoteConnection) -> str:
    return f"“{row.name}” is asked for a thread and a conversation that do not exist. Nothing is changed there."


def _tested(request: HttpRequest, row: RemoteConnection) -> str:
    found = connections.test(row=row, by=request.user, at=timezone.now())
    return f"“{row.name}” answered in {found.latency_ms:,} ms. It serves {' and '.join(found.serves)}."


@admin.register(RemoteConnection)
class RemoteConnectionAdmin(ConfigurationCsv, TestedAdmin):
    """Servers where the remote sides of a tenant's threads live."""

    trial = Trial(key_badge, _asks, _tested)

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
