"""Tenants with their members."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from ai import tenancy
from ai.admin import bundles
from ai.admin.parts import badges
from ai.admin.parts.base import ConsoleAdmin
from ai.admin.parts.configuration_csv import ConfigurationCsv, InstallationForm
from ai.admin.parts.forms import TenantForm
from ai.admin.parts.lists import Button
from ai.models import Tenant, TenantMembership
from ai.services import tenants

DOORS = (
    ("Threads", "forum", "chatthread"),
    ("Assistants", "smart_toy", "assistant"),
    ("Model routes", "alt_route", "modelroute"),
    ("Vector stores", "database_search", "vectorstore"),
    ("API keys", "key", "apikey"),
)


@admin.register(Tenant)
class TenantAdmin(ConfigurationCsv, ConsoleAdmin):
    """Staff see the tenants that they are members of; superusers see all."""

    form = TenantForm
    import_form_class = InstallationForm
    csv_about = (
        "Names and tools alone are in such files: what a tenant has goes in a bundle, and members are chosen here."
    )
    tenant_column = False
    list_display = ("tenant", "member_count", "threads", "model_map", "keys", "created_at")
    list_display_links = ("tenant",)
    ordering = ("name", "pk")
    search_fields = ("name",)
    search_help_text = "A name, or an ID"
    change_form_outer_before_template = "admin/ai/tenant/before.html"
    empty_title = "No tenants yet"
    empty_text = "A tenant is a customer whose conversations are kept apart from every other's. Add the first."

    def get_queryset(self, request: HttpRequest) -> Any:
        """The tenants in scope."""
        rows = super().get_queryset(request)
        scope = tenancy.current().tenants
        return rows if scope is None else rows.filter(pk__in=sorted(scope))

    def list_buttons(self, request: HttpRequest, changelist: Any) -> list[Button]:
        """Also the way to the import of a bundle."""
        return [*super().list_buttons(request, changelist), *bundles.buttons(request)]

    def extra_urls(self) -> Iterable[tuple[str, str, Callable[..., HttpResponse]]]:
        """The pages of bundles."""
        return bundles.urls(self)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A tenant with its conversations is not deleted from a form."""
        return False

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        """How many members each has: one query."""
        members = TenantMembership.objects.filter(tenant_id__in=[row.pk for row in rows]).order_by()
        counts = dict(members.values_list("tenant_id").annotate(n=Count("pk")))
        for row in rows:
            row.members_found = counts.get(row.pk, 0)

    @display(description="Tenant")
    def tenant(self, row: Tenant) -> SafeString:
        """Its name."""
        return badges.clip(row.name, 60)

    @display(description="Members")
    def member_count(self, row: Any) -> SafeString:
        """How many staff work for it."""
        return badges.number(row.members_found)

    @display(description="Threads")
    def threads(self, row: Tenant) -> SafeString:
        """Its conversations."""
        return badges.link(badges.url("ai_chatthread_changelist", tenant=str(row.pk)), "Open threads")

    @display(description="Model routes")
    def model_map(self, row: Tenant) -> SafeString:
        """Which model answers its clients."""
        return badges.link(badges.url("ai_modelroute_changelist", tenant=str(row.pk)), "Open map")

    @display(description="API keys")
    def keys(self, row: Tenant) -> SafeString:
        """Who may call the HTTP API."""
        return badges.link(badges.url("ai_apikey_changelist", tenant=str(row.pk)), "Open keys")

    @display(description="Created")
    def created_at(self, row: Tenant) -> SafeString:
        """When it was added."""
        return badges.when(row.created)

    @display(description="Members")
    def members(self, row: Tenant) -> str:
        """Their names, for those who may not change them."""
        keys = TenantMembership.objects.filter(tenant_id=row.pk).values_list("user_id", flat=True)
        users = get_user_model()._default_manager.filter(pk__in=list(keys)[:500]).order_by("username", "pk")
        return ", ".join(user.get_username() for user in users) or "Nobody yet"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The name, the members, and the server's functions."""
        return ((None, {"fields": ("name", "members")}), ("Tools", {"fields": (self._tools_field(request, obj),)}))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Members are names alone to those who may not change them."""
        may_change = self._may_change(request, obj)
        members = () if may_change and self._may_change_members(request) else ("members",)
        return (*members, *(() if may_change else ("tools_named",)))

    def _tools_field(self, request: HttpRequest, obj: Any) -> str:
        return "allowed_tools" if self._may_change(request, obj) else "tools_named"

    def _may_change(self, request: HttpRequest, obj: Any) -> bool:
        return bool(self.has_change_permission(request, obj) if obj else self.has_add_permission(request))

    @display(description="Functions of this server")
    def tools_named(self, row: Tenant) -> str:
        """Those that its runs may call, for those who may not change them."""
        return ", ".join(map(str, row.allowed_tools or [])) or "All of them"

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """The form, with the way to what the tenant has."""
        row = self.get_object(request, object_id) if object_id else None
        context = {"doors": _doors(request, row)} if row is not None else {}
        return super().changeform_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def _may_change_members(self, request: HttpRequest) -> bool:
        """Superusers: whoever chooses members sees every account, and could choose themselves."""
        user: Any = request.user
        return bool(user.is_active and user.is_superuser)

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: Any) -> None:
        """Through the service, and so is each member who comes or goes."""
        at, by = timezone.now(), request.user
        before = set(form.member_ids()) if change else set()
        tenants.save(tenant=obj, by=by, at=at)
        if "members" not in form.cleaned_data or not self._may_change_members(request):
            return
        chosen = {user.pk: user for user in form.cleaned_data["members"]}
        for key, user in chosen.items():
            if key not in before:
                tenants.add_member(tenant_id=obj.pk, user=user, by=by, at=at)
        shown = form.fields["members"].queryset
        for user in shown.filter(pk__in=before - set(chosen)):
            tenants.remove_member(tenant_id=obj.pk, user=user, by=by, at=at)


def _doors(request: HttpRequest, row: Tenant) -> list[tuple[str, str, str]]:
    """(words, icon, URL) of the lists of what the tenant has, for those who may see them."""
    user: Any = request.user
    doors = [
        (words, icon, badges.url(f"ai_{model}_changelist", tenant=str(row.pk)))
        for words, icon, model in DOORS
        if user.has_perm(f"ai.view_{model}")
    ]
    bundle = [("Bundle…", "inventory_2", badges.url("ai_tenant_bundle", row.pk))] if bundles.may_make(request) else []
    return doors + bundle
