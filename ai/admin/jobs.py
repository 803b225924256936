"""Jobs: the list, and a page that follows one until it has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from ai.admin import exports, imports, retitles
from ai.admin.parts import badges, job_kinds
from ai.admin.parts.base import ReadAdmin, answer, in_bulk
from ai.admin.parts.filters import DateFilter, TenantFilter, exact
from ai.models import ChatThread, Job, JobItem, Run
from ai.models.jobs import JobStatus
from ai.services import jobs

#: Results shown on one page of a job.
PER_PAGE = 100


def bar(job: Job, style: str = "") -> SafeString:
    """A bar: done in green, failed in red."""
    total = max(job.total, 1)
    done, failed = min(100, job.done * 100 // total), min(100, job.failed * 100 // total)
    return format_html(
        '<span class="ai-progress {}" role="progressbar" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{}"'
        ' aria-label="Progress"><i style="width:{}%"></i><i class="ai-bad" style="width:{}%"></i></span>',
        style,
        job.percent,
        done,
        failed,
    )


@admin.register(Job)
class JobAdmin(ReadAdmin):
    """Work that goes on in the background."""

    list_display = ("name", "state", "progress", "requested_by", "created_at", "ended")
    list_display_links = ("name",)
    list_filter = (
        exact("status", "status", JobStatus.choices),
        exact("kind", "kind", [(name, kind.label) for name, kind in job_kinds.KINDS.items()]),
        TenantFilter,
        ("created", DateFilter),
    )
    list_defer = ("data",)
    search_fields = ("title", "requested_by")
    search_help_text = "A title, who asked for it, or an ID"
    page_template = "admin/ai/job/page.html"
    empty_title = "No jobs yet"
    empty_text = "Replay or retitle several threads at once, and the work and its results can be followed here."

    def empty_links(self, request: HttpRequest) -> list[tuple[str, str]]:
        """Where jobs come from."""
        return [("Open threads", badges.url("ai_chatthread_changelist"))]

    @display(description="Job")
    def name(self, row: Job) -> SafeString:
        """What it does."""
        return badges.clip(row.title or row.kind.capitalize(), 60)

    @display(description="Status")
    def state(self, row: Job) -> SafeString:
        """Where it stands."""
        return badges.status(row.status, row.get_status_display(), title=row.error[:300])

    @display(description="Progress")
    def progress(self, row: Job) -> SafeString:
        """How far it is."""
        kind = job_kinds.KINDS.get(row.kind)
        far = f"{row.percent} %" if kind and kind.in_percent else f"{row.done + row.failed:,} of {row.total:,}"
        failed = badges.badge(f"{row.failed:,} failed", "red") if row.failed else ""
        return format_html('{} <span class="ai-number">{}</span> {}', bar(row, "ai-progress-small"), far, failed)

    @display(description="Created")
    def created_at(self, row: Job) -> SafeString:
        """When it was asked for."""
        return badges.when(row.created)

    @display(description="Ended")
    def ended(self, row: Job) -> SafeString:
        """When it ended."""
        return badges.when(row.ended_at)

    # -- The page
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The job's page. One that follows a job is loaded anew when the job has ended: its buttons change."""
        response = super().changeform_view(request, *args, **kwargs)
        row = getattr(response, "context_data", {}).get("row")
        if row is not None and not row.is_open and "HX-Request" in request.headers:
            response["HX-Refresh"] = "true"
        return response

    def page_context(self, request: HttpRequest, row: Job) -> dict[str, Any]:
        """The job with one page of its results; asked for by htmx, the page brings the same and only that is taken."""
        page = _page_number(request)
        shown = job_kinds.results(request, row)
        results: list[Any] = [] if shown else _runs(row, page) if row.kind == "replay" else _items(row, page)
        cancellable = row.is_open and self.has_cancel_permission(request)
        return {
            **shown,
            "subtitle": str(row),
            "status_badge": badges.status(row.status, row.get_status_display()),
            "wide_bar": bar(row),
            "results": results[:PER_PAGE],
            "page_number": page,
            "has_next": len(results) > PER_PAGE,
            "is_replay": row.kind == "replay",
            "is_retitle": row.kind == "retitle",
            "kind_label": job_kinds.KINDS[row.kind].label if row.kind in job_kinds.KINDS else row.kind,
            "links": job_kinds.links(request, row),
            "cancel_url": badges.url("ai_job_cancel", row.pk) if cancellable else "",
        }

    def extra_urls(self) -> Iterable[tuple[str, str, Callable[..., HttpResponseBase]]]:
        """The cancel dialog, the proposals of titles, the files of exports, and the problems of imports."""
        cancel = ("<uuid:object_id>/cancel/", "cancel", self.cancel_view)
        return [cancel, *retitles.job_urls(self), *exports.job_urls(self), *imports.job_urls(self)]

    def has_cancel_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """`ai.cancel_job`."""
        return self.may(request, "cancel")

    def cancel_view(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Ask, then cancel."""
        row = self.get_object_or_404(request, str(object_id))
        if not self.has_cancel_permission(request):
            raise PermissionDenied
        back = badges.url("ai_job_change", row.pk)
        if request.method != "POST":
            text = job_kinds.cancelling(row)
            return self.confirm(
                request, title="Cancel this job?", text=text, button="Cancel the job", back=back, danger=True
            )

        def act() -> tuple[str, str]:
            jobs.cancel(job_id=row.pk, by=request.user, at=timezone.now())
            return "The job is cancelled.", back

        return answer(request, back, act)


def _page_number(request: HttpRequest) -> int:
    try:
        return min(max(int(request.GET.get("page", "1")), 1), 10_000)
    except ValueError:
        return 1


def _items(job: Job, page: int) -> list[dict[str, Any]]:
    """One page of a job's things, and one more if there is another page."""
    start = (page - 1) * PER_PAGE
    rows = JobItem.objects.filter(job_id=job.pk).order_by("position", "pk")[start : start + PER_PAGE + 1]
    return [
        {
            "number": row.position + 1,
            "status": badges.status(row.status),
            "thread": badges.thread_link(row.object_id, row.data.get("old") or "Thread"),
            "new": row.data.get("new", ""),
            "error": row.error,
            "is_waiting": row.status == "queued",
        }
        for row in rows
    ]


def _runs(job: Job, page: int) -> list[dict[str, Any]]:
    """One page of the replays that a job asked for."""
    start = (page - 1) * PER_PAGE
    rows = list(
        Run.objects.filter(job_id=job.pk)
        .defer("instructions", "tools", "settings", "metadata", "output", "required_action")
        .order_by("created", "pk")[start : start + PER_PAGE + 1]
    )
    threads = in_bulk(ChatThread, (row.replay_of_thread for row in rows if row.replay_of_thread), "name")
    made = []
    for number, row in enumerate(rows, start + 1):
        thread = threads.get(str(row.replay_of_thread))
        made.append(
            {
                "number": number,
                "run": row,
                "status": badges.status(row.status, row.get_status_display()),
                "thread": badges.thread_link(row.replay_of_thread, thread.name if thread else ""),
                "duration": badges.duration(row.duration_ms),
                "tokens": badges.tokens(row.total_tokens),
                "cost": badges.money(row.cost),
                "compare_url": badges.url("ai_run_compare", row.pk) or badges.url("ai_run_change", row.pk),
                "error": row.error_message,
            }
        )
    return made
