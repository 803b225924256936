"""Runs: the list, a page for each with its steps, and cancelling."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display

from ai.admin import replays
from ai.admin.parts import badges, facts, steps, tools
from ai.admin.parts.base import BARE, ReadAdmin, answer, in_bulk
from ai.admin.parts.csv_imports import CsvImport
from ai.admin.parts.doors import Door
from ai.admin.parts.exports import Exports
from ai.admin.parts.filters import DateFilter, TenantFilter, exact, narrowed, recent_values
from ai.admin.parts.review_filling import Reviewable
from ai.models import Assistant, ChatThread, ForeignId, Run
from ai.models.runs import HELD, RunStatus
from ai.runner import live
from ai.services import comparisons, filters, rendering, runs, search

MOST_STEPS = 200

#: How long a page that follows a run waits before it looks again, in milliseconds.
WAITS: dict[str, int] = {"queued": 1000, "in_progress": 700, "cancelling": 700, "requires_action": 2000}


class KindFilter(DropdownFilter):
    """Original runs, or replays."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The two kinds."""
        return list(filters.KINDS)

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The runs of that kind."""
        return narrowed(queryset, str(self.parameter_name), self.value())


class AssistantFilter(DropdownFilter):
    """The runs of one assistant. Its page leads here."""

    title = "assistant"
    parameter_name = "assistant"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The chosen one alone: without a choice there is no filter, and no query for it."""
        chosen: Any = self.used_parameters.get(self.parameter_name)
        if not chosen:
            return []
        return [(str(chosen), rendering.visible(str(in_bulk(Assistant, [chosen], "name").get(str(chosen), "Deleted"))))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The assistant's runs."""
        return narrowed(queryset, str(self.parameter_name), self.value())


def thread_id_of(row: Run) -> str:
    """The thread that a run answers, or replays."""
    return str(row.replay_of_thread or row.thread_id or "")


@admin.register(Run)
class RunAdmin(Reviewable, Exports, CsvImport, ReadAdmin):
    """Runs are made by replays and the API, and only read here."""

    noun = "runs"
    list_display = ("name", "state", "thread", "took", "used_tokens", "price", "created_at")
    list_display_links = ("name",)
    list_filter = (
        exact("status", "status", RunStatus.choices),
        recent_values("model", "model"),
        KindFilter,
        AssistantFilter,
        TenantFilter,
        ("created", DateFilter),
    )
    list_defer = ("instructions", "tools", "settings", "metadata", "output", "required_action")
    search_fields = search.WAYS[Run].texts
    search_help_text = "An ID, a model, or words of an error"
    lookups = ("thread_id", "replay_of_thread", "job_id")
    shows_content = True
    page_template = "admin/ai/run/page.html"
    empty_title = "No runs yet"
    empty_text = "A run is one answer of one model. Open a thread and press Replay to make the first."

    def empty_links(self, request: HttpRequest) -> list[tuple[str, str]]:
        """Where runs come from."""
        return [("Open threads", badges.url("ai_chatthread_changelist"))]

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        """Titles of threads: one query."""
        super().prepare_rows(request, rows)
        threads = in_bulk(ChatThread, filter(None, map(thread_id_of, rows)), "name")
        for row in rows:
            row.thread_row = threads.get(thread_id_of(row))

    @display(description="Model")
    def name(self, row: Run) -> SafeString:
        """The alias that was asked for, and whether it is a replay."""
        alias = badges.clip(row.model, 40)
        return format_html("{} {}", alias, badges.badge("Replay", "violet")) if row.is_replay else alias

    @display(description="Status")
    def state(self, row: Run) -> SafeString:
        """Where it stands, and what went wrong."""
        words = row.get_status_display() + (f" · {row.error_code}" if row.error_code else "")
        return badges.status(row.status, words, title=rendering.visible(row.error_message)[:300])

    @display(description="Thread")
    def thread(self, row: Any) -> SafeString:
        """The conversation."""
        return badges.thread_link(thread_id_of(row), row.thread_row.name if row.thread_row else "")

    @display(description="Duration")
    def took(self, row: Run) -> SafeString:
        """From the first claim to the end."""
        return badges.duration(row.duration_ms)

    @display(description="Tokens")
    def used_tokens(self, row: Run) -> SafeString:
        """All of them."""
        return badges.tokens(row.total_tokens)

    @display(description="Cost")
    def price(self, row: Run) -> SafeString:
        """In US$."""
        return badges.money(row.cost)

    @display(description="Created")
    def created_at(self, row: Run) -> SafeString:
        """When it was asked for."""
        return badges.when(row.created)

    # -- The page
    def page_context(self, request: HttpRequest, row: Run) -> dict[str, Any]:
        """The run with its steps."""
        key = thread_id_of(row)
        thread = in_bulk(ChatThread, [key], "name").get(key) if key else None
        assistant = Assistant.objects.filter(pk=row.assistant_id).first() if row.assistant_id else None
        may_cancel = row.is_active and row.status != RunStatus.CANCELLING and self.has_cancel_permission(request)
        return {
            **({"frame": BARE} if "live" in request.GET else {}),
            "wait": WAITS.get(row.status, 0),
            "subtitle": f"{row.model} · {row.get_status_display()}",
            "status_badge": badges.status(row.status, row.get_status_display()),
            "public_id": ForeignId.objects.shown("run", row.pk),
            "thread_row": thread,
            "thread_url": badges.url("ai_chatthread_change", key) if thread else "",
            "assistant": assistant,
            "steps": steps.of_run(row, most=MOST_STEPS),
            "waiting_for": steps.waiting_for(row) if row.status == RunStatus.REQUIRES_ACTION else [],
            "said": _said_so_far(row),
            "tools": tools.shown(row.tools),
            "stores": tools.stores(_stores(row), tenant_id=row.tenant_id),
            "settings": facts.settings(row.settings),
            "metadata": facts.pairs(row.metadata),
            "output": comparisons.steps_of(row.output) if isinstance(row.output, list) else [],
            "instructions": rendering.visible(row.instructions),
            "error_text": rendering.visible(row.error_message),
            "compare_url": badges.url("ai_run_compare", row.pk) if row.is_replay else "",
            "replay_url": badges.url("ai_chatthread_replay", key, run=None if row.is_replay else str(row.pk))
            if thread and request.user.has_perm("ai.replay_run")
            else "",
            "cancel_url": badges.url("ai_run_cancel", row.pk) if may_cancel else "",
            "original_url": badges.url("ai_run_change", row.replay_of) if row.replay_of else "",
            "job_url": badges.url("ai_job_change", row.job_id) if row.job_id else "",
            "fork_url": badges.url("ai_chatthread_change", row.promoted_to) if row.promoted_to else "",
            "messages_url": badges.url("ai_message_changelist", run_id=str(row.pk)) if not row.is_replay else "",
        }

    # -- Cancelling
    def extra_urls(self) -> Iterable[Door]:
        """The cancel dialog, and the comparison of replays."""
        return [("<uuid:object_id>/cancel/", "cancel", self.cancel_view), *replays.run_urls(self)]

    def has_replay_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """`ai.replay_run`."""
        return self.may(request, "replay")

    def has_cancel_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """`ai.cancel_run`."""
        return self.may(request, "cancel")

    def cancel_view(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Ask, then cancel."""
        row = self.get_object_or_404(request, str(object_id))
        if not self.has_cancel_permission(request):
            raise PermissionDenied
        back = badges.url("ai_run_change", row.pk)
        if request.method != "POST":
            text = "The model stops within a second. What it has said so far is kept, and paid for."
            return self.confirm(
                request, title="Cancel this run?", text=text, button="Cancel the run", back=back, danger=True
            )

        def act() -> tuple[str, str]:
            runs.cancel(run_id=row.pk, by=request.user, at=timezone.now())
            return "The run is being cancelled.", back

        return answer(request, back, act)


def _stores(row: Run) -> list[str]:
    """The vector stores that the run searches, by their public ids."""
    settings = row.settings if isinstance(row.settings, dict) else {}
    found = settings.get("vector_store_ids")
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []


def _said_so_far(row: Run) -> str:
    """What a run that goes on has written of its message; it is in no step yet."""
    if row.status not in HELD:
        return ""
    return comparisons.text_of_answer(live.look([row.pk]).get(row.pk, [])[-1:])
