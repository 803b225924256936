"""What a job's page shows of an import: counts, the first problems, and where to go on."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from ai.admin.parts import badges
from ai.models import Job, JobItem
from ai.services.imports.formats import FORMATS
from ai.services.imports.reports import plural, table

SHOWN_PROBLEMS = 50
COLUMNS = ("new", "unchanged", "refused")


def context(request: HttpRequest, job: Job) -> dict[str, Any]:
    """What the template `admin/ai/import/job.html` needs; problems are for those who may import."""
    user: Any = request.user
    state = job.data.get("state") or {}
    counts = table({name: state.get(name) or {} for name in COLUMNS})
    problem_count = sum((state.get("refused") or {}).values())
    may_import = user.has_perm("ai.import_chatthread")
    format_ = FORMATS.get(job.data.get("format", ""))
    has_new = bool(counts.get("thread", {}).get("new")) and user.has_perm("ai.view_chatthread")
    return {
        "progress_words": f"{job.percent} % of the file read",
        "size": badges.size(job.data.get("bytes")),
        "format_label": format_.label if format_ else "",
        "read": badges.size(job.data["read"]) if job.data.get("read") else "",
        "counts": [(plural(kind), numbers) for kind, numbers in counts.items()],
        "problem_count": problem_count,
        "problems": _problems(job) if may_import and problem_count else [],
        "problems_url": badges.url("ai_job_problems", job.pk) if may_import and problem_count else "",
        "threads_url": badges.url("ai_chatthread_changelist") if has_new else "",
    }


def _problems(job: Job) -> list[dict[str, str]]:
    rows = JobItem.objects.filter(job_id=job.pk).order_by("position")[:SHOWN_PROBLEMS]
    return [
        {
            "place": row.data.get("place", ""),
            "kind": row.data.get("kind", ""),
            "id": row.object_id,
            "reason": row.error,
        }
        for row in rows
    ]
