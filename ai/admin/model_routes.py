"""The map of models: which model answers a tenant's clients when they ask for `gpt-4o`."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from ai.admin.parts import badges
from ai.admin.parts.base import ConsoleAdmin, tenant_names
from ai.admin.parts.configuration_csv import ConfigurationCsv
from ai.admin.parts.filters import TenantFilter, recent_values
from ai.admin.parts.forms import tenant_field
from ai.admin.parts.route_form import ModelRouteForm
from ai.models import LanguageModel, ModelRoute, Tenant
from ai.services import model_routes


@admin.register(ModelRoute)
class ModelRouteAdmin(ConfigurationCsv, ConsoleAdmin):
    """One line for each name; a line is changed in what answers, or deleted."""

    form = ModelRouteForm
    list_display = ("asked_for", "answered_by", "reach", "changed_at")
    list_display_links = ("asked_for",)
    list_filter = (TenantFilter, recent_values("alias", "answered by"))
    search_fields = ("pattern", "alias")
    search_help_text = "A model's name, or an ID"
    lookups = ("alias",)
    empty_title = "No model is mapped yet"
    empty_text = (
        "Old client code asks for gpt-4o and friends. Send each name to a model of your choice, "
        "and that code needs no second change."
    )

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        """Which aliases are language models here: one query."""
        super().prepare_rows(request, rows)
        models = dict(LanguageModel.objects.filter(alias__in={row.alias for row in rows}).values_list("alias", "pk"))
        for row in rows:
            row.model_pk = models.get(row.alias)

    @display(description="Asked for")
    def asked_for(self, row: ModelRoute) -> SafeString:
        """The name that clients send."""
        return badges.clip(row.pattern, 50)

    @display(description="Answered by")
    def answered_by(self, row: Any) -> SafeString:
        """The model."""
        href = badges.url("ai_languagemodel_change", row.model_pk) if row.model_pk else ""
        return format_html("→ {}", badges.link(href, badges.clip(row.alias, 50)))

    @display(description="Reaches")
    def reach(self, row: ModelRoute) -> SafeString:
        """Whether it is one name or many."""
        return badges.badge("any ending", "violet") if row.pattern.endswith("*") else badges.badge("this name")

    @display(description="Changed")
    def changed_at(self, row: ModelRoute) -> SafeString:
        """When it was changed last."""
        return badges.when(row.modified)

    # -- The form
    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The tenant is chosen once, where there are several."""
        first = ["pattern", "alias"]
        if obj is None:
            first = ["tenant", *first] if tenant_field(request) else first
        elif len(tenant_names(request)) > 1:
            first = ["tenant_shown", *first]
        return ((None, {"fields": first}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A line stays what it is about: clients rely on the name."""
        return ("tenant_shown", "pattern") if obj else ()

    @display(description="Tenant")
    def tenant_shown(self, row: ModelRoute) -> str:
        """Whose map it is."""
        return str(Tenant.objects.filter(pk__in=[row.tenant_id]).first() or "—")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form, with the tenant where it can be chosen."""
        field = tenant_field(request) if obj is None else None
        if field:
            field.initial = request.GET.get("tenant", "")
            kwargs["form"] = type("NewModelRouteForm", (ModelRouteForm,), {"tenant": field})
        return super().get_form(request, obj, change=change, **kwargs)

    def save_model(self, request: HttpRequest, obj: ModelRoute, form: Any, change: Any) -> None:
        """Through the service."""
        saved = model_routes.save(
            tenant_id=form.tenant_id(), pattern=obj.pattern, alias=obj.alias, by=request.user, at=timezone.now()
        )
        obj.pk, obj.tenant_id = saved.pk, saved.tenant_id
        obj._state.adding = False

    def delete_model(self, request: HttpRequest, obj: ModelRoute) -> None:
        """Through the service."""
        model_routes.delete(route_id=obj.pk, by=request.user, at=timezone.now())

    # -- Permissions: the service knows one for a new line and a changed one
    def has_add_permission(self, request: HttpRequest) -> bool:
        """`ai.add_modelroute` and `ai.change_modelroute`."""
        return self.may(request, "add") and self.may(request, "change")
