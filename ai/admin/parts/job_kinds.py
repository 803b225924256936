"""What the pages of jobs say about each kind of job: its name in filters, and where its results are looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from ai.admin.parts import badges
from ai.models import Job


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
    """A kind of job: `label` for filters, `links` to what this person may do with such a job."""

    label: str
    links: Callable[[HttpRequest, Job], list[Link]] = _nothing


def _titles(key: Callable[[Job], Any]) -> Callable[[HttpRequest, Job], list[Link]]:
    def links(request: HttpRequest, job: Job) -> list[Link]:
        user: Any = request.user
        if not user.has_perm("ai.retitle_chatthread"):
            return []
        return [Link("Look through the titles", badges.url("ai_job_titles", key(job)), "edit_note", is_main=True)]

    return links


#: Every kind of job, by `Job.kind`.
KINDS: dict[str, Kind] = {
    "replay": Kind("Replay"),
    "retitle": Kind("Retitle", _titles(lambda job: job.pk)),
    "retitle_apply": Kind("Apply titles", _titles(lambda job: job.data.get("of"))),
    "retitle_undo": Kind("Undo titles", _titles(lambda job: job.data.get("of"))),
}


def links(request: HttpRequest, job: Job) -> list[Link]:
    """The buttons of a job's page."""
    return KINDS[job.kind].links(request, job) if job.kind in KINDS else []
