"""The pages of replays: the form that asks for them, and original and replays side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from ai.admin.parts import comparisons, replay_form, selections
from ai.admin.parts.base import answer
from ai.admin.parts.transcript import key_of, open_thread, thread_url
from ai.exceptions import AIError, NotFound
from ai.models import Job, Run
from ai.services import replays, runs
from ai.services.triage import fixes

# -- Asking for replays


def one(admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """Ask for replays of one thread."""
    if not admin.has_replay_permission(request):
        raise PermissionDenied
    thread = open_thread(admin, request, object_id)
    run = _run_of(thread.pk, request.POST.get("run") or request.GET.get("run"))
    target = replays.Target(thread_id=thread.pk, run_id=run.pk if run else None)
    context = {"thread": thread, "run": run, "back": thread_url(thread.pk)}
    return _ask(admin, request, [target], "Replay on…", context)


def _run_of(thread_id: UUID, text: str | None) -> Run | None:
    """The thread's run to replay; the last answer where none is named."""
    if not text:
        return None
    run: Run | None = Run.objects.filter(pk=key_of(text), thread_id=str(thread_id)).first()
    if run is None:
        raise Http404("This thread has no such run.")
    return run


def several(admin: Any, request: HttpRequest) -> HttpResponse:
    """Ask for replays of the chosen threads."""
    if not admin.has_replay_permission(request) or not admin.has_view_permission(request):
        raise PermissionDenied
    found = selections.chosen(request)
    targets = [replays.Target(thread_id=row.pk) for row in found]
    context = {
        "threads": found,
        "ids": ",".join(row.pk.hex for row in found),
        "back": reverse("admin:ai_chatthread_changelist"),
    }
    return _ask(admin, request, targets, f"Replay {selections.counted(found)} on…", context)


def _ask(admin: Any, request: HttpRequest, targets: list[Any], title: str, context: dict[str, Any]) -> HttpResponse:
    form = replay_form.bound(request)
    if request.method == "POST" and form.is_valid():
        try:
            job = replays.request(targets=targets, by=request.user, at=timezone.now(), **form.arguments())
            return HttpResponseRedirect(_after(job))
        except AIError as error:
            if isinstance(error, NotFound):
                raise Http404(error.message) from error
            form.add_error(None, error.message)
    values = {**context, "form": form, "models": form.offered()}
    response: HttpResponse = admin.page(request, "admin/ai/replay/form.html", title, **values)
    response.status_code = 400 if form.errors else 200
    return response


def _after(job: Job) -> str:
    """The comparison when there is one thread, else the job's progress."""
    made = Run.objects.filter(job_id=job.pk)
    answers = made.order_by().values_list("replay_of_thread", "replay_from").distinct()[:2]
    if len(answers) == 1:
        return reverse("admin:ai_run_compare", args=[made.earliest("created", "pk").pk])
    return reverse("admin:ai_job_change", args=[job.pk])


# -- Comparing


def compare(admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """Original and replays."""
    context = comparisons.context(request, _run_key(admin, request, object_id))
    response: HttpResponse = admin.page(request, "admin/ai/replay/compare.html", "Compare replays", **context)
    return response


def compare_live(admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """The answers as HTML fragments, each with a version that changes when it does."""
    context = comparisons.context(request, _run_key(admin, request, object_id))
    parts = []
    for shown in context["answers"]:
        html = render_to_string("admin/ai/replay/answer.html", {**context, "shown": shown}, request)
        parts.append({"key": shown.key, "html": html, "version": shown.version})
    state = {"active": context["is_active"], "status": context["status"], "answers": parts}
    return JsonResponse(state, headers={"Cache-Control": "no-store"})


def cancel(admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """Cancel a replay."""
    run_id = _run_key(admin, request, object_id)
    return _post(request, run_id, lambda back: _cancelled(request, run_id, back))


def fix(admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """Say that a replay fixed the feedback on the original."""
    run_id = _run_key(admin, request, object_id)
    return _post(request, run_id, lambda back: _fixed(request, run_id, back))


def promote(admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """Go on from a replay in a thread of its own."""
    run_id = _run_key(admin, request, object_id)
    return _post(request, run_id, lambda back: _promoted(request, run_id))


def _run_key(admin: Any, request: HttpRequest, object_id: str) -> UUID:
    if not admin.has_view_permission(request):
        raise PermissionDenied
    return key_of(object_id)


def _cancelled(request: HttpRequest, run_id: UUID, back: str) -> tuple[str, str]:
    runs.cancel(run_id=run_id, by=request.user, at=timezone.now())
    return "", back


def _fixed(request: HttpRequest, run_id: UUID, back: str) -> tuple[str, str]:
    rows = fixes.resolve(run_id=run_id, by=request.user, at=timezone.now())
    what = "The feedback is" if len(rows) == 1 else f"{len(rows)} feedback are"
    return f"{what} resolved, as fixed by this replay. The inbox takes it back.", back


def _promoted(request: HttpRequest, run_id: UUID) -> tuple[str, str]:
    fork = replays.promote(run_id=run_id, by=request.user, at=timezone.now())
    return "This new thread continues with the replay's answer. The original is unchanged.", thread_url(fork.pk)


def _post(request: HttpRequest, run_id: UUID, act: Callable[[str], tuple[str, str]]) -> HttpResponse:
    if request.method != "POST":
        raise Http404("This address takes forms only.")
    back = reverse("admin:ai_run_compare", args=[run_id])
    return answer(request, back, lambda: act(back))
