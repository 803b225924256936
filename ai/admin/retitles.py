"""Titles for many threads: the page that asks which model, and the page on which proposals are looked through."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from ai import conf
from ai.admin.parts import retitle_rows, selections
from ai.admin.parts.base import answer
from ai.exceptions import InvalidInput, NotFound
from ai.llm.specs import AGENT
from ai.models import Job, LanguageModel
from ai.services import language_models, retitle_batches, retitles
from ai.services.selections import Selection

Door = tuple[str, str, Callable[..., HttpResponse]]

MOST_MODELS = 30
RULE = ""


def thread_urls(admin: Any) -> list[Door]:
    """The page that asks. `admin` is the `ThreadAdmin`."""

    def view(request: HttpRequest) -> HttpResponse:
        if not admin.has_retitle_permission(request):
            raise PermissionDenied
        return _ask(admin, request)

    return [("retitle/", "retitle_selected", view)]


def job_urls(admin: Any) -> list[Door]:
    """The page of a batch. `admin` is the `JobAdmin`."""

    def view(request: HttpRequest, object_id: UUID) -> HttpResponse:
        if not _may(request) or not admin.has_view_permission(request):
            raise PermissionDenied
        return _batch(admin, request, object_id)

    return [("<uuid:object_id>/titles/", "titles", view)]


def ask_url(thread_ids: Iterable[Any], query: str = "") -> str:
    """The page that asks, for these threads, or, if wanted, for all that the list's address shows."""
    address = selections.url("retitle", thread_ids)
    return f"{address}&{urlencode({'list': query})}" if query else address


def _may(request: HttpRequest) -> bool:
    user: Any = request.user
    return bool(user.has_perm(retitles.PERMISSION))


# -- Asking


def _ask(admin: Any, request: HttpRequest) -> HttpResponse:
    given = request.POST or request.GET
    found = selections.chosen(request)
    these = Selection.of_ids("threads", [row.pk for row in found])
    every = _of_list(given.get("list", ""))
    back = reverse("admin:ai_chatthread_changelist", query=QueryDict(given.get("list", "")) or None)
    if request.method == "POST":
        return answer(request, back, lambda: _requested(request, every if _wants_all(request, every) else these))
    count = every.count(most=retitles.MOST_THREADS + 1) if every else 0
    models = _models()
    context = {
        "threads": found,
        "ids": ",".join(row.pk.hex for row in found),
        "locked": sum(row.title_locked for row in found),
        "back": back,
        "list": given.get("list", ""),
        "every": every.describe() if every and count > len(found) else "",
        "count": count,
        "too_many": count > retitles.MOST_THREADS,
        "most": retitles.MOST_THREADS,
        "offers": _offers(models, these, every if every and count > len(found) else None),
    }
    title = f"Retitle {selections.counted(found)}"
    response: HttpResponse = admin.page(request, "admin/ai/retitle/ask.html", title, **context)
    return response


def _wants_all(request: HttpRequest, every: Selection | None) -> bool:
    return every is not None and request.POST.get("which") == "all"


def _of_list(query: str) -> Selection | None:
    """All threads that the list showed; None where its address cannot be read, or there was none."""
    if not query:
        return None
    try:
        return Selection.of_list("threads", QueryDict(query))
    except InvalidInput:
        return None


def _requested(request: HttpRequest, selection: Selection | None) -> tuple[str, str]:
    if selection is None:
        raise InvalidInput("Choose threads.")
    model = request.POST.get("model", RULE)
    at = timezone.now()
    frozen = selection.frozen(at=at)
    job = retitles.request(selection=frozen, model_alias=model, by=request.user, at=at)
    return "", reverse("admin:ai_job_titles", args=[job.pk])


def _models() -> list[dict[str, str]]:
    """The rule, then the models that can write titles, the one of the settings first."""
    names = dict(LanguageModel._meta.get_field("provider").flatchoices)
    known = [c for c in language_models.choices(most=MOST_MODELS) if c.provider != AGENT]
    rows = [{"alias": c.alias, "provider": names.get(c.provider, c.provider), "model": c.model} for c in known]
    present = {row["alias"] for row in rows}
    for alias in (conf.current().default_model, conf.current().title_model):
        if alias and alias not in present:
            provider, _, model = alias.partition(":")
            rows.insert(0, {"alias": alias, "provider": names.get(provider, provider), "model": model})
            present.add(alias)
    return [{"alias": RULE, "provider": "No model", "model": ""}, *rows]


def _offers(models: list[dict[str, str]], these: Selection, every: Selection | None) -> list[dict[str, Any]]:
    aliases = [row["alias"] for row in models]
    for_these = retitles.estimates_of(selection=these, model_aliases=aliases)
    for_every = retitles.estimates_of(selection=every, model_aliases=aliases) if every else {}
    chosen = conf.current().title_model
    return [
        {
            **row,
            "these": for_these[row["alias"]],
            "every": for_every.get(row["alias"]),
            "is_chosen": row["alias"] == chosen,
        }
        for row in models
        if row["alias"] in for_these
    ]


# -- Looking through the proposals


def _batch(admin: Any, request: HttpRequest, object_id: UUID) -> HttpResponse:
    try:
        job = retitle_batches.batch(job_id=object_id)
    except NotFound as error:
        raise Http404(error.message) from error
    page = retitle_rows.page_number(request)
    if request.method == "POST":
        return _posted(request, job, page)
    context = retitle_rows.context(job, page, may_cancel=admin.has_cancel_permission(request))
    response: HttpResponse = admin.page(request, "admin/ai/retitle/page.html", str(job), **context)
    response["Cache-Control"] = "no-store"
    return response


def _address(job: Job, page: int) -> str:
    return reverse("admin:ai_job_titles", args=[job.pk], query={"page": page} if page > 1 else None)


def _posted(request: HttpRequest, job: Job, page: int) -> HttpResponse:
    """Keep what this page says, then do what its button says."""
    wanted, at = request.POST.get("do", "save"), timezone.now()
    here = _address(job, page)

    def act() -> tuple[str, str]:
        choices = retitle_rows.choices(request)
        if choices:
            retitle_batches.decide(job_id=job.pk, choices=choices, by=request.user, at=at)
        if wanted == "apply":
            with_tags = request.POST.get("with_tags") == "on"
            retitle_batches.apply(job_id=job.pk, by=request.user, at=at, with_tags=with_tags)
            return _said(job, "The titles are applied.", "The titles are being applied."), here
        if wanted == "undo":
            retitle_batches.undo(job_id=job.pk, by=request.user, at=at)
            return _said(job, "The old titles are back.", "The old titles are being restored."), here
        return ("Saved." if wanted == "save" else ""), _address(job, retitle_rows.page_wanted(wanted, page))

    return answer(request, here, act)


def _said(job: Job, done: str, begun: str) -> str:
    """What to say of a change that is done, or that a worker will make."""
    job.refresh_from_db()
    change = retitle_batches.change_of(job)
    return begun if change is not None and change.is_open else done
