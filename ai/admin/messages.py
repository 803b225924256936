"""Messages: a list, and a page for each."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from ai.admin.parts import badges, facts
from ai.admin.parts.base import ReadAdmin, in_bulk
from ai.admin.parts.csv_imports import CsvImport
from ai.admin.parts.exports import Exports
from ai.admin.parts.filters import DateFilter, TenantFilter, exact
from ai.admin.parts.review_filling import Reviewable
from ai.models import ChatThread, Feedback, Message, Run
from ai.services import rendering, search, transcripts
from ai.stores.content import tool_calls_of

ROLES = [(role, role.capitalize()) for role in ("user", "assistant", "tool", "system", "developer")]


@admin.register(Message)
class MessageAdmin(Reviewable, Exports, CsvImport, ReadAdmin):
    """Read-only: what was said stays as it was said."""

    noun = "messages"
    list_display = ("role_badge", "text", "thread", "run_model", "created_at")
    list_display_links = ("text",)
    list_filter = (exact("role", "role", ROLES), TenantFilter, ("created", DateFilter))
    search_fields = search.WAYS[Message].texts
    search_help_text = "Words in messages, or an ID"
    lookups = ("thread_id", "run_id")
    list_defer = ("message", "data")
    shows_content = True
    page_template = "admin/ai/message/page.html"
    empty_title = "No messages yet"
    empty_text = (
        "Messages appear here as soon as a thread has any: through the API, an import, or code that uses the app."
    )

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        """Titles of threads and models of runs: a query each."""
        super().prepare_rows(request, rows)
        threads = in_bulk(ChatThread, (row.thread_id for row in rows if row.thread_id), "name")
        runs = in_bulk(Run, (row.run_id for row in rows if row.run_id), "model")
        for row in rows:
            row.thread_row, row.run_row = threads.get(str(row.thread_id)), runs.get(str(row.run_id))

    @display(description="Role")
    def role_badge(self, row: Any) -> SafeString:
        """Who spoke."""
        return badges.role(row.role)

    @display(description="Text")
    def text(self, row: Any) -> SafeString:
        """How it begins."""
        return badges.clip(row.preview or "(no text)", 90)

    @display(description="Thread")
    def thread(self, row: Any) -> SafeString:
        """Its place in the transcript."""
        return badges.thread_link(row.thread_id, row.thread_row.name if row.thread_row else "", message=row.pk)

    @display(description="Run")
    def run_model(self, row: Any) -> SafeString:
        """The model that wrote it."""
        if not row.run_row:
            return badges.NONE
        return badges.link(badges.url("ai_run_change", row.run_row.pk), row.run_row.model)

    @display(description="Created")
    def created_at(self, row: Any) -> SafeString:
        """When it was added."""
        return badges.when(row.created)

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """The message, its neighbours' thread, its run and its feedback."""
        thread = in_bulk(ChatThread, [row.thread_id], "name").get(str(row.thread_id)) if row.thread_id else None
        run = in_bulk(Run, [row.run_id], "model", "status").get(str(row.run_id)) if row.run_id else None
        may_read_feedback = request.user.has_perm("ai.view_feedback")
        feedback = Feedback.objects.filter(message_id=row.pk).order_by("-given_at", "-pk")[:20]
        turn = transcripts.turn_of(row)
        return {
            "subtitle": f"{row.role} in {thread.name if thread else 'a thread'}",
            "turn": turn,
            "content": rendering.markdown(turn.text),
            "may": {"files": request.user.has_perm("ai.view_datasource")},
            "calls": [
                {"name": call["name"], "arguments": rendering.json_text(call["arguments"])}
                for call in tool_calls_of(row.message)
            ],
            "raw": rendering.json_text(row.message),
            "metadata": facts.pairs(turn.metadata),
            "data": facts.pairs(row.data),
            "thread_row": thread,
            "run_row": run,
            "feedback": list(feedback) if may_read_feedback else [],
            "transcript_url": badges.url("ai_chatthread_change", row.thread_id, message=row.pk) if thread else "",
        }
