"""Assistants: forms over the service."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from ai.admin.parts import badges, facts, tools
from ai.admin.parts.assistant_form import AssistantForm
from ai.admin.parts.base import ConsoleAdmin
from ai.admin.parts.csv_imports import CsvImport
from ai.admin.parts.exports import Exports
from ai.admin.parts.filters import DateFilter, TenantFilter, recent_values
from ai.admin.parts.forms import tenant_field
from ai.models import Assistant, ForeignId, Run, Tenant
from ai.services import assistants, rendering, search

RUNS_SHOWN = 8
MOST_TOOLS_NAMED = 3


@admin.register(Assistant)
class AssistantAdmin(Exports, CsvImport, ConsoleAdmin):
    """A model with instructions and tools, under a name."""

    noun = "assistants"
    form = AssistantForm
    list_display = ("title", "model_alias", "told", "tools_named", "created_at")
    list_display_links = ("title",)
    list_filter = (recent_values("model", "model"), TenantFilter, ("created", DateFilter))
    search_fields = search.WAYS[Assistant].texts
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
    def tools_named(self, row: Assistant) -> SafeString:
        """The first of the tools it may call."""
        names = [str(tool["name"]) for tool in tools.shown(row.tools)]
        if not names:
            return badges.NONE
        more = f" +{len(names) - MOST_TOOLS_NAMED}" if len(names) > MOST_TOOLS_NAMED else ""
        return badges.clip(", ".join(names[:MOST_TOOLS_NAMED]) + more, 60)

    @display(description="Created")
    def created_at(self, row: Assistant) -> SafeString:
        """When it was added."""
        return badges.when(row.created)

    @display(description="Public ID")
    def public_id(self, row: Assistant) -> str:
        """The id that the API knows it by."""
        return str(ForeignId.objects.shown("assistant", row.pk)) if row.pk else "—"

    # -- The form
    conditional_fields = {
        "response_schema": "response_format == 'json_schema'",
        "vector_store": "file_search == true",
        "code_files": "code_interpreter == true",
    }
    change_form_outer_after_template = "admin/ai/assistant/after.html"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The tenant is chosen once, where there are several. Who only reads gets tools and settings beneath."""
        first = ["name", "description", "model", "instructions"]
        if obj is None and tenant_field(request):
            first.insert(0, "tenant")
        details = ("external_id", "metadata", *(("public_id", "created", "modified") if obj else ()))
        more = ("Details", {"fields": details})
        if not (self.has_change_permission(request, obj) if obj else self.has_add_permission(request)):
            return ((None, {"fields": first}), more)
        search, code = ("file_search", "vector_store"), ("code_interpreter", "code_files")
        return (
            (None, {"fields": first}),
            ("Tools", {"fields": ("server_tools", *search, *code, "client_tools")}),
            (
                "Answers",
                {"fields": ("temperature", "top_p", "reasoning_effort", "response_format", "response_schema")},
            ),
            more,
        )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form, with the tenant where it can be chosen."""
        field = tenant_field(request) if obj is None else None
        if field:
            field.initial = request.GET.get("tenant", "")
            kwargs["form"] = type("NewAssistantForm", (AssistantForm,), {"tenant": field})
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        if "model" in form.base_fields:
            form.base_fields["model"].help_text = "A language model, or provider:model, such as openai:gpt-4o-mini."
        return form

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """The form, and beneath it what the assistant can do, and what it did."""
        row = self.get_object(request, object_id) if object_id else None
        context = self._about(request, row) if row is not None and self.has_view_permission(request, row) else {}
        return super().changeform_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def _about(self, request: HttpRequest, row: Assistant) -> dict[str, Any]:
        """Tools, resources, settings, and the newest runs."""
        may_see_runs = request.user.has_perm("ai.view_run")
        found = Run.objects.filter(assistant_id=row.pk).order_by("-created", "-pk") if may_see_runs else []
        return {
            "assistant": row,
            "tools": tools.shown(row.tools, allowed=_allowed(row)),
            "resources": tools.links(row.tool_resources, tenant_id=row.tenant_id),
            "answer_settings": facts.settings(row.settings),
            "metadata_pairs": facts.pairs(row.metadata),
            "runs": [_run(run) for run in found[:RUNS_SHOWN]],
            "may_see_runs": may_see_runs,
            "runs_url": badges.url("ai_run_changelist", assistant=str(row.pk)) if may_see_runs else "",
        }

    def save_model(self, request: HttpRequest, obj: Assistant, form: Any, change: Any) -> None:
        """Through the service."""
        chosen = form.cleaned_data.get("tenant")
        if chosen and not change:
            obj.tenant_id = UUID(chosen)
        form.apply(obj)
        assistants.save(assistant=obj, by=request.user, at=timezone.now())

    def delete_model(self, request: HttpRequest, obj: Assistant) -> None:
        """Through the service."""
        assistants.delete(assistant=obj, by=request.user, at=timezone.now())


def _allowed(row: Assistant) -> list[str] | None:
    """The server's functions that the tenant may call; None for all."""
    found: list[str] | None = (
        Tenant.objects.filter(pk__in=[row.tenant_id]).values_list("allowed_tools", flat=True).first()
    )
    return found or None


def _run(run: Run) -> dict[str, Any]:
    return {
        "url": badges.url("ai_run_change", run.pk),
        "status": badges.status(run.status, run.get_status_display()),
        "model": rendering.visible(run.model),
        "created": badges.when(run.created),
        "tokens": badges.tokens(run.total_tokens),
    }
