"""The pages of titles: which threads and which model, and the proposals of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone

from ai import conf
from ai.admin.parts import retitle_rows, selections
from ai.admin.parts.base import answer
from ai.exceptions import InvalidInput, NotFound
from ai.llm.specs import AGENT
from ai.models import ChatThread, Job, LanguageModel
from ai.services import language_models, retitle_batches, retitles
from ai.services.selections import Selection

MOST_MODELS = 30
#: Threads of a whole list that are shown to look at.
MOST_SHOWN = 20
RULE = ""


# -- Asking


@dataclass(frozen=True)
class _Asked:
    """What may be retitled: the ticked threads, all that the list shows, or either; `rows` are some of them to look at."""

    these: Selection | None
    every: Selection | None
    rows: list[ChatThread]
    list_query: str

    @property
    def back(self) -> str:
        """The list as it was."""
        return reverse("admin:ai_chatthread_changelist", query=QueryDict(self.list_query) or None)

    def chosen(self, request: HttpRequest) -> Selection:
        """The selection that the form chose."""
        wants_all = self.these is None or request.POST.get("which") == "all"
        found = self.every if wants_all and self.every is not None else self.these
        if found is None:
            raise InvalidInput("Choose threads.")
        return found


def _asked(request: HttpRequest) -> _Asked:
    """What the address or the form names.

    Raises:
        Http404: nothing that is there.
    """
    given = request.POST or request.GET
    query = given.get("list", "")
    every = _of_list(query) if "list" in given else None
    if given.get("ids") or every is None:
        rows = selections.chosen(request)
        return _Asked(Selection.of_ids("threads", [row.pk for row in rows]), every, rows, query)
    rows = list(every.queryset().order_by("-last_activity_at", "-pk")[:MOST_SHOWN])
    if not rows:
        raise Http404("The list shows no thread.")
    return _Asked(None, every, rows, query)


def ask(admin: Any, request: HttpRequest) -> HttpResponse:
    asked = _asked(request)
    if request.method == "POST":
        return answer(request, asked.back, lambda: _requested(request, asked))
    most = conf.current().retitle_max_threads
    count = asked.every.count(most=most + 1) if asked.every else 0
    is_more = asked.these is None or count > len(asked.rows)
    every = asked.every if asked.every and is_more else None
    shown = len(asked.rows) if asked.these else count
    context = {
        "threads": asked.rows,
        "ids": ",".join(row.pk.hex for row in asked.rows) if asked.these else "",
        "locked": sum(row.title_locked for row in asked.rows),
        "back": asked.back,
        "list": asked.list_query,
        "is_listed": "list" in request.GET,
        "every": every.describe() if every else "",
        "count": count,
        "too_many": count > most,
        "most": most,
        "offers": _offers(_models(), asked.these, every),
    }
    title = f"Retitle {shown:,} thread{'s' * (shown != 1)}" if asked.these or shown <= most else "Retitle all threads"
    response: HttpResponse = admin.page(request, "admin/ai/retitle/ask.html", title, **context)
    return response


def _of_list(query: str) -> Selection | None:
    """All threads that the list showed; None where its address cannot be read."""
    try:
        return Selection.of_list("threads", QueryDict(query))
    except InvalidInput:
        return None


def _requested(request: HttpRequest, asked: _Asked) -> tuple[str, str]:
    at = timezone.now()
    selection, model = asked.chosen(request).frozen(at=at), request.POST.get("model", RULE)
    job = retitles.request(selection=selection, model_alias=model, by=request.user, at=at)
    user: Any = request.user
    if not user.has_perm("ai.view_job"):
        return "Titles are being found in the background. Somebody who may see jobs can look through them.", asked.back
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


def _offers(models: list[dict[str, str]], these: Selection | None, every: Selection | None) -> list[dict[str, Any]]:
    """The models with what each will cost, for the ticked threads and for all of the list."""
    aliases = [row["alias"] for row in models]
    prices = [retitles.estimates_of(selection=each, model_aliases=aliases) for each in (these, every) if each]
    chosen = conf.current().title_model
    return [
        {**row, "prices": [found[row["alias"]] for found in prices], "is_chosen": row["alias"] == chosen}
        for row in models
        if all(row["alias"] in found for found in prices)
    ]


# -- Looking through the proposals


def batch(admin: Any, request: HttpRequest, object_id: UUID) -> HttpResponse:
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
