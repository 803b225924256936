"""The audit log: to be read and taken out, never changed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from ai.admin.parts import badges, facts
from ai.admin.parts.base import ReadAdmin
from ai.admin.parts.exports import Exports
from ai.admin.parts.filters import DateFilter, TenantFilter, recent_values
from ai.models import AuditEntry
from ai.services import search

#: Where a kind of thing has its page.
PAGES = {
    "apikey": "ai_apikey_change",
    "assistant": "ai_assistant_change",
    "chatthread": "ai_chatthread_change",
    "datasource": "ai_datasource_change",
    "feedback": "ai_feedback_change",
    "job": "ai_job_change",
    "languagemodel": "ai_languagemodel_change",
    "message": "ai_message_change",
    "modelroute": "ai_modelroute_change",
    "reviewqueue": "ai_reviewqueue_change",
    "run": "ai_run_change",
    "tenant": "ai_tenant_change",
    "vectorstore": "ai_vectorstore_change",
    "webhook": "ai_webhook_change",
    "webhookdelivery": "ai_webhookdelivery_change",
}


def target_link(row: AuditEntry) -> SafeString:
    """A link to the thing, where it has a page."""
    if not row.target_type:
        return badges.NONE
    name = PAGES.get(row.target_type, "")
    href = badges.url(name, row.target_id) if name else ""
    return badges.link(href, f"{row.target_type} {row.target_id[:8]}")


def _plain(value: Any) -> Any:
    """A list of words or numbers as one text; everything else as it is."""
    is_plain = isinstance(value, list) and not any(isinstance(each, (list, dict)) for each in value)
    return ", ".join(map(str, value)) or "none" if is_plain else value


@admin.register(AuditEntry)
class AuditAdmin(Exports, ReadAdmin):
    """Who did what to which thing, when."""

    noun = "audit-entries"
    shown = "the audit log"
    list_display = ("moment", "who", "what", "target", "details")
    list_display_links = ("moment",)
    list_filter = (
        recent_values("action", "action"),
        recent_values("actor_name", "person"),
        TenantFilter,
        ("at", DateFilter),
    )
    ordering = ("-at", "-pk")
    search_fields = search.WAYS[AuditEntry].texts
    search_help_text = "An action, a person, or an ID"
    lookups = ("action",)
    page_template = "admin/ai/auditentry/page.html"
    empty_title = "Nothing has been done yet"
    empty_text = "Every change that people, commands or the API make is noted here, and stays."

    @display(description="When")
    def moment(self, row: AuditEntry) -> SafeString:
        """When."""
        return badges.when(row.at)

    @display(description="Who")
    def who(self, row: AuditEntry) -> SafeString:
        """Who."""
        return badges.clip(row.actor_name, 40)

    @display(description="Did")
    def what(self, row: AuditEntry) -> SafeString:
        """The action."""
        return badges.badge(row.action, "blue")

    @display(description="To")
    def target(self, row: AuditEntry) -> SafeString:
        """The thing."""
        return target_link(row)

    @display(description="Details")
    def details(self, row: AuditEntry) -> SafeString:
        """What was noted."""
        data = row.data if isinstance(row.data, dict) else {}
        said = [f"{name}: {_plain(value)}" for name, value in data.items() if value not in (None, "")]
        return badges.clip(", ".join(said), 90)

    def page_context(self, request: HttpRequest, row: AuditEntry) -> dict[str, Any]:
        """The entry."""
        return {
            "subtitle": f"{row.action} by {row.actor_name}",
            "target_link": target_link(row),
            "details": facts.pairs({name: _plain(value) for name, value in (row.data or {}).items()}),
        }
