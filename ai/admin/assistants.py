"""Assistants: forms over the service."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from ai.admin.parts import badges
from ai.admin.parts.base import ConsoleAdmin
from ai.admin.parts.filters import DateFilter, TenantFilter, recent_values
from ai.admin.parts.forms import AssistantForm, tenant_field
from ai.models import Assistant
from ai.services import assistants, language_models

SHOWN_ALIASES = 20


@admin.register(Assistant)
class AssistantAdmin(ConsoleAdmin):
    """A model with instructions and tools, under a name."""

    form = AssistantForm
    list_display = ("title", "model_alias", "told", "tool_count", "created_at")
    list_display_links = ("title",)
    list_filter = (recent_values("model", "model"), TenantFilter, ("created", DateFilter))
    search_fields = ("name", "description")
    search_help_text = "A name, or an ID"
    readonly_fields = ("public_id", "created", "modified")
    empty_title = "No assistants yet"
    empty_text = "An assistant is a model with instructions and tools under a name, as the Assistants API knows it."

    @display(description="Name")
    def title(self, row: Assistant) -> SafeString:
        """Its name."""
        return badges.clip(row.name or "Unnamed assistant", 50)

    @display(description="Model")
    def model_alias(self, row: Assistant) -> SafeString:
        """The alias it runs on."""
        return badges.clip(row.model, 40)

    @display(description="Instructions")
    def told(self, row: Assistant) -> SafeString:
        """How its instructions begin."""
        return badges.clip(row.instructions, 70)

    @display(description="Tools")
    def tool_count(self, row: Assistant) -> SafeString:
        """How many tools it may call."""
        return badges.number(len(row.tools)) if isinstance(row.tools, list) and row.tools else badges.NONE

    @display(description="Created")
    def created_at(self, row: Assistant) -> SafeString:
        """When it was added."""
        return badges.when(row.created)

    @display(description="Public ID")
    def public_id(self, row: Assistant) -> str:
        """The id that the API knows it by."""
        return f"asst_{row.pk.hex}" if row.pk else "—"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The tenant is chosen once, where there are several."""
        first = ["name", "description", "model", "instructions"]
        if obj is None and tenant_field(request):
            first.insert(0, "tenant")
        more = (
            "Details",
            {"fields": ("external_id", "metadata", *(("public_id", "created", "modified") if obj else ()))},
        )
        return ((None, {"fields": first}), ("Tools and settings", {"fields": ("tools", "settings")}), more)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form, with the models that can be chosen named beside the field."""
        field = tenant_field(request) if obj is None else None
        if field:
            kwargs["form"] = type("NewAssistantForm", (AssistantForm,), {"tenant": field})
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        aliases = [choice.alias for choice in language_models.choices(most=SHOWN_ALIASES)]
        if "model" in form.base_fields:
            named = ", ".join(aliases) or "none yet"
            form.base_fields["model"].help_text = f"An alias ({named}), or provider:model, such as openai:gpt-4o-mini."
        return form

    def save_model(self, request: HttpRequest, obj: Assistant, form: Any, change: Any) -> None:
        """Through the service."""
        chosen = form.cleaned_data.get("tenant")
        if chosen and not change:
            obj.tenant_id = UUID(chosen)
        assistants.save(assistant=obj, by=request.user, at=timezone.now())

    def delete_model(self, request: HttpRequest, obj: Assistant) -> None:
        """Through the service."""
        assistants.delete(assistant=obj, by=request.user, at=timezone.now())
