"""What the pages of jobs say about each kind of job: its name in filters, and where its results are looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from ai.admin.parts import badges, review_filling, review_judge
from ai.admin.parts.doors import later
from ai.models import Job, SyncConflict
from ai.models.conflicts import ConflictStatus
from ai.services.exports import jobs as exports


@dataclass(frozen=True)
class Link:
    """A button on a job's page."""

    label: str
    url: str
    icon: str = ""
    is_main: bool = False


def _nothing(_request: HttpRequest, _job: Job) -> list[Link]:
    return []


@dataclass(frozen=True)
class Kind:
    """A kind of job: `label` for filters, `links` to what this person may do with such a job.

    `template` shows what came of it, where that is not a row for each thing, and gets what `context` says; `cancelling` says
    what becomes of it where things are not counted one by one, and `in_percent` that its progress is a share of the whole.
    """

    label: str
    links: Callable[[HttpRequest, Job], list[Link]] = _nothing
    template: str = ""
    context: Callable[[HttpRequest, Job], dict[str, Any]] = field(default=lambda _request, _job: {})
    cancelling: str = ""
    in_percent: bool = False


def _titles(key: Callable[[Job], Any]) -> Callable[[HttpRequest, Job], list[Link]]:
    def links(request: HttpRequest, job: Job) -> list[Link]:
        user: Any = request.user
        if not user.has_perm("ai.retitle_chatthread"):
            return []
        return [Link("Look through the titles", badges.url("ai_job_titles", key(job)), "edit_note", is_main=True)]

    return links


def _of(job: Job) -> Any:
    """The batch that the job changes."""
    return job.data.get("of")


def _export(request: HttpRequest, job: Job) -> dict[str, Any]:
    """The file of an export for those who may have it, and what is in it."""
    user: Any = request.user
    may_have = user.has_perms(job.data.get("needs") or ["ai.export_chatthread"])
    until = exports.expires_at(job)
    is_there = until is not None and until > timezone.now()
    return {
        "manifest": job.data.get("manifest"),
        "until": until,
        "is_over": until is not None and not is_there,
        "file_url": badges.url("ai_job_file", job.pk) if may_have and is_there else "",
        "manifest_url": badges.url("ai_job_manifest", job.pk) if may_have and until else "",
        "size": badges.size(job.data["manifest"]["file"]["bytes"]) if until else "",
    }


def _taken_in(request: HttpRequest, job: Job) -> dict[str, Any]:
    """What a bundle had in it."""
    return {"made": job.data.get("tenant", ""), "counts": list((job.data.get("counts") or {}).items())}


def _conflicts(request: HttpRequest, job: Job) -> list[Link]:
    """What syncs have left for a person to decide, this one or an earlier one."""
    user: Any = request.user
    if not user.has_perm("ai.view_syncconflict"):
        return []
    rows = SyncConflict.objects.filter(status=ConflictStatus.OPEN)
    if not (rows.filter(tenant_id=job.tenant_id) if job.tenant_id else rows).exists():
        return []
    address = badges.url("ai_syncconflict_changelist", status=ConflictStatus.OPEN)
    return [Link("Decide conflicts", address, "sync_problem", is_main=True)]


def _queue(request: HttpRequest, job: Job) -> list[Link]:
    """The queue whose judge answers, or that is filled."""
    return [
        Link(words, address, "rate_review", is_main=True) for words, address in review_judge.job_links(request, job)
    ]


#: Every kind of job, by `Job.kind`.
KINDS: dict[str, Kind] = {
    "replay": Kind("Replay"),
    "sync": Kind("Sync", _conflicts),
    "export": Kind("Export", template="admin/ai/export/job.html", context=_export),
    "bundle": Kind("Bundle", template="admin/ai/export/job.html", context=_export),
    "bundle_import": Kind("Import of a bundle", template="admin/ai/export/taken_in.html", context=_taken_in),
    "import": Kind(
        "Import",
        template="admin/ai/import/job.html",
        context=later("ai.admin.parts.import_results.context"),
        cancelling="What has been imported stays; the rest of the file will not be read. The file is deleted: to go on later, "
        "upload it again, and what is here already is passed over.",
        in_percent=True,
    ),
    "judge": Kind(
        "Judge",
        _queue,
        template="admin/ai/reviewqueue/judge_job.html",
        context=review_judge.job_context,
    ),
    "review_fill": Kind(
        "Sample for review",
        _queue,
        template="admin/ai/reviewqueue/fill_job.html",
        context=review_filling.job_context,
        cancelling="Nothing has been added to the queue yet, and nothing will be.",
        in_percent=True,
    ),
    "retitle": Kind("Retitle", _titles(lambda job: job.pk)),
    "retitle_apply": Kind("Apply titles", _titles(_of), template="admin/ai/retitle/job.html"),
    "retitle_undo": Kind("Undo titles", _titles(_of), template="admin/ai/retitle/job.html"),
}


def links(request: HttpRequest, job: Job) -> list[Link]:
    """The buttons of a job's page."""
    return KINDS[job.kind].links(request, job) if job.kind in KINDS else []


def cancelling(job: Job) -> str:
    """What cancelling the job means."""
    left = max(job.total - job.done - job.failed, 0)
    known = KINDS[job.kind].cancelling if job.kind in KINDS else ""
    return known or f"{job.done:,} done stay done; {left:,} will not be begun."


def results(request: HttpRequest, job: Job) -> dict[str, Any]:
    """What the job's page shows of what came of it; empty where that is a row for each thing."""
    kind = KINDS.get(job.kind)
    return {"results_template": kind.template, **kind.context(request, job)} if kind and kind.template else {}
