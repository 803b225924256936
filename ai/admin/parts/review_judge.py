"""A queue's judge on its pages: what it says and how far it is trusted, the form that changes it, and letting it answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.utils import timezone
from unfold import widgets

from ai.admin.parts import badges, model_field, review_forms
from ai.admin.parts.base import BARE, answer
from ai.exceptions import AIError, Forbidden
from ai.models import Job, ReviewItem, ReviewJudge, ReviewQueue, ReviewRubric
from ai.models.review_judges import LEAST_ITEMS, THRESHOLD
from ai.services.reviews import judge_figures, judging

#: Failures shown on a queue's page.
MOST_FAILURES = 20


class JudgeForm(forms.Form):
    """Which model judges, what it is to heed, and when it is trusted."""

    model = model_field.AliasField(help_text="A language model of this installation, or provider:model.")
    prompt = forms.CharField(
        required=False,
        max_length=judging.PROMPT_CHARACTERS,
        widget=widgets.UnfoldAdminTextareaWidget(attrs={"rows": 6, "dir": "auto"}),
        help_text="What to heed besides the questions, such as what counts as helpful here. The judge reads the conversation "
        "as data and takes no orders from it.",
    )
    threshold = forms.FloatField(
        label="Trusted from this \u03ba on",
        min_value=0,
        max_value=1,
        initial=THRESHOLD,
        widget=widgets.UnfoldAdminTextInputWidget(attrs={"type": "number", "step": "0.05", "min": "0", "max": "1"}),
        help_text="Cohen's \u03ba against people, question by question: 1 is perfect, 0 is chance. 0.6 is substantial agreement.",
    )
    least_items = forms.IntegerField(
        label="On at least so many items",
        min_value=1,
        max_value=judging.MOST_ITEMS,
        initial=LEAST_ITEMS,
        widget=widgets.UnfoldAdminIntegerFieldWidget,
        help_text="Items that both people and the judge have answered.",
    )


def urls(admin: Any) -> list[tuple[str, str, Callable[..., HttpResponse]]]:
    """Changing the judge, letting it answer, the part of the queue's page that follows it, and what it is compared with."""

    def door(view: Callable[..., HttpResponse], may: Callable[[HttpRequest], bool]) -> Callable[..., HttpResponse]:
        def opened(request: HttpRequest, object_id: UUID) -> HttpResponse:
            row: ReviewQueue = admin.get_object_or_404(request, str(object_id))
            if not may(request):
                raise PermissionDenied
            return view(admin, request, row)

        return opened

    def leads(request: HttpRequest) -> bool:
        return bool(admin.may(request, "change"))

    return [
        ("<uuid:object_id>/judge/", "judge", door(_change, may_judge)),
        ("<uuid:object_id>/judge/run/", "judge_run", door(_run, may_judge)),
        ("<uuid:object_id>/judge/live/", "judge_live", door(_live, leads)),
        ("<uuid:object_id>/judge/count/", "judge_count", door(_count, leads)),
    ]


def may_judge(request: HttpRequest) -> bool:
    """Whether this person may change the judge, and spend money on it."""
    user: Any = request.user
    return bool(user.has_perms(judging.PERMISSIONS))


def panel(request: HttpRequest, row: ReviewQueue) -> dict[str, Any]:
    """What a lead sees of the judge on the queue's page; never its answer to one item."""
    trust = judge_figures.trust(queue_id=row.pk, by=request.user, at=timezone.now())
    if trust is None:
        return {"judge": None, "may_judge": may_judge(request)}
    job = judging.open_job(queue_id=row.pk)
    return {
        "judge": trust.judge,
        "trust": trust,
        "trusted": badges.badge(trust.words, "green" if trust.trusted else "orange"),
        "job": job,
        "job_bar": badges.progress(job.percent) if job else "",
        "job_url": badges.url("ai_job_change", job.pk) if job and _sees_jobs(request) else "",
        "left": judging.waiting(queue_id=row.pk, judge=trust.judge).count(),
        "failures": judge_figures.failures(queue_id=row.pk, judge=trust.judge, most=MOST_FAILURES),
        "findings": judge_figures.findings(trust),
        "may_judge": may_judge(request),
    }


def _live(admin: Any, request: HttpRequest, row: ReviewQueue) -> HttpResponse:
    """The panel alone, for a page on which the judge answers; the last one asks for no more."""
    context = {"frame": BARE, "row": row, "judging": panel(request, row)}
    response: HttpResponse = admin.page(request, "admin/ai/reviewqueue/judge.html", "", **context)
    return response


def _sees_jobs(request: HttpRequest) -> bool:
    user: Any = request.user
    return bool(user.has_perm("ai.view_job"))


def voice(item: ReviewItem, *, by: Any) -> dict[str, Any] | None:
    """The judge's answer as one more voice beside the reviewers', for whoever may see it."""
    found = judge_figures.answer_for(item_id=item.pk, by=by)
    if found is None:
        return None
    row, judge = found
    asked = ReviewRubric.objects.get(queue_id=item.queue_id, version=row.rubric_version).rubric
    return {
        "judge": judge,
        "reason": row.reason,
        "fields": review_forms.fields(asked, row.answers or {}),
        "at": row.modified,
    }


def _change(admin: Any, request: HttpRequest, row: ReviewQueue) -> HttpResponse:
    current = ReviewJudge.objects.current(row.pk)
    is_posted = request.method == "POST"
    initial = {name: getattr(current, name) for name in JudgeForm.base_fields} if current else None
    form = JudgeForm(request.POST if is_posted else None, initial=initial)
    back = badges.url("ai_reviewqueue_change", row.pk)
    if is_posted and form.is_valid() and _saved(request, row, form):
        return HttpResponseRedirect(back)
    title = f"The judge of “{row.name}”"
    context = {"form": form, "back": back, "judge": current, "is_frozen": bool(current and current.frozen_at)}
    response: HttpResponse = admin.page(request, "admin/ai/reviewqueue/judge_form.html", title, **context)
    response.status_code = 400 if form.errors else 200
    return response


def _saved(request: HttpRequest, row: ReviewQueue, form: JudgeForm) -> bool:
    """Whether the judge is as the form says now."""
    given = form.cleaned_data
    values = {"model_alias": given["model"], **{name: given[name] for name in ("prompt", "threshold", "least_items")}}
    try:
        judge = judging.set_up(queue_id=row.pk, **values, by=request.user, at=timezone.now())
    except Forbidden as error:
        raise PermissionDenied(error.message) from error
    except AIError as error:
        form.add_error(error.param if error.param in form.fields else None, error.message)
        return False
    messages.success(request, f"The judge is {judge.model}, version {judge.version}.")
    return True


def _run(admin: Any, request: HttpRequest, row: ReviewQueue) -> HttpResponse:
    back = badges.url("ai_reviewqueue_change", row.pk)
    if request.method == "POST":
        return answer(request, back, lambda: _started(request, row, back))
    judge = ReviewJudge.objects.current(row.pk)
    if judge is None:
        raise Http404(judging.NO_JUDGE)
    try:
        expected = judging.estimate(queue_id=row.pk)
    except AIError as error:
        messages.error(request, error.message)
        return HttpResponseRedirect(back)
    price = render_to_string("admin/ai/retitle/cost.html", {"estimate": expected}).strip()
    text = (
        f"{judge.model} answers the questions for {expected.threads:,} item{'s' * (expected.threads != 1)} that version "
        f"{judge.version} has not answered: {price}. The conversations are sent to the model. People's answers stay as they are, "
        "and no reviewer sees the judge's."
    )
    response: HttpResponse = admin.confirm(
        request, title="Run the judge?", text=text, button="Run the judge", back=back
    )
    return response


def _count(admin: Any, request: HttpRequest, row: ReviewQueue) -> HttpResponse:
    """Ask whether the lead's own answers are to count, then let them."""
    back = badges.url("ai_reviewqueue_change", row.pk)
    if request.method == "POST":
        return answer(request, back, lambda: _counted(request, row, back))
    trust = judge_figures.trust(queue_id=row.pk, by=request.user, at=timezone.now())
    if trust is None:
        raise Http404(judging.NO_JUDGE)
    text = (
        f"The judge is then compared with your answers to {trust.own:,} item{'s' * (trust.own != 1)}, too. You can no longer "
        "take these answers back: who sees figures with an answer, and then changes it, could find out what the judge said."
    )
    response: HttpResponse = admin.confirm(
        request, title="Count your answers, too?", text=text, button="Count them", back=back
    )
    return response


def _counted(request: HttpRequest, row: ReviewQueue, back: str) -> tuple[str, str]:
    count = judging.count_own(queue_id=row.pk, by=request.user, at=timezone.now())
    return f"Your answers to {count:,} item{'s' * (count != 1)} count, and stay as they are.", f"{back}#judge"


def _started(request: HttpRequest, row: ReviewQueue, back: str) -> tuple[str, str]:
    judging.start(queue_id=row.pk, by=request.user, at=timezone.now())
    return "The judge answers in the background.", back


# -- The job


def job_links(request: HttpRequest, job: Job) -> list[tuple[str, str]]:
    """(words, address) of the queue that a job judges or fills, for those who may see queues."""
    user: Any = request.user
    if not (user.has_perm("ai.view_reviewqueue") or user.has_perm("ai.review_reviewqueue")):
        return []
    return [("Open the queue", badges.url("ai_reviewqueue_change", job.data.get("queue")))]


def job_context(_request: HttpRequest, job: Job) -> dict[str, Any]:
    """What a job's page says: what it used, and nothing of what was answered."""
    used = job.data.get("input_tokens", 0) + job.data.get("output_tokens", 0)
    return {
        "model": job.data.get("model", ""),
        "version": job.data.get("version"),
        "used": badges.tokens(used),
        "cost": badges.money(job.data.get("cost")),
    }
