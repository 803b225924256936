"""Filling a queue from a list's selection, and the names of people on a queue's pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from unfold import widgets
from unfold.decorators import action

from ai.admin.parts import badges, review_forms
from ai.admin.parts.base import pks_of
from ai.admin.parts.lists import Button
from ai.exceptions import AIError, Forbidden, InvalidInput
from ai.models import Job, ReviewItem, ReviewQueue
from ai.models.reviews import QueueState
from ai.services.reviews import filling, queues, reviewing, sampling_rows
from ai.services.selections import APPEARANCE, NOUNS, Selection
from ai.stores.rubrics import Rubric

MOST_QUEUES = 200
#: Ticked rows are in the address of the page.
MOST_TICKED = 100


def names(keys: Iterable[str | None]) -> dict[str, str]:
    """What the people with these ids are called: one query. Others go by their id."""
    numbers = {int(key) for key in keys if key and key.isdigit()}
    people = get_user_model().objects.filter(pk__in=numbers)
    return {str(person.pk): person.get_username() for person in people}


def source_words(queue: ReviewQueue) -> str:
    """What a queue's sample was taken of, and how, so that it can be taken again; empty without one."""
    source = queue.source or {}
    if "selection" not in source:
        return ""
    how = sampling_rows.offers(queue.unit).get(source.get("how") or "", "By lot")
    size = f"a sample of {source['sample']:,}" if source.get("sample") else "all"
    rows = queue.population or source.get("rows")
    of = f" of {rows:,}" if rows else ""
    words = f"{size}{of} from {source['selection']}. {how}, with the seed {source.get('seed', 1)}"
    return words[:1].upper() + words[1:]


def answers(item: ReviewItem, rubric: Rubric, *, by: Any) -> list[dict[str, Any]]:
    """What reviewers answered, as far as `by` may see it."""
    found = reviewing.answers_for(item_id=item.pk, by=by)
    known = names(slot.reviewer for slot in found)
    return [
        {
            "name": known.get(slot.reviewer or "", slot.reviewer),
            "fields": review_forms.fields(rubric, slot.answers or {}),
            "at": slot.submitted_at,
        }
        for slot in found
    ]


class FillForm(forms.Form):
    """Which queue, how many, and which."""

    queue = forms.ChoiceField(widget=widgets.UnfoldAdminSelectWidget)
    sample = forms.IntegerField(
        label="Only a sample of",
        required=False,
        min_value=1,
        max_value=queues.MOST_ITEMS,
        widget=widgets.UnfoldAdminIntegerFieldWidget,
        help_text="Empty: all of them.",
    )
    how = forms.ChoiceField(
        label="Chosen",
        required=False,
        widget=widgets.UnfoldAdminSelectWidget,
        help_text="A share of each group is as large as the group's share of all, and at least one. What is in dispute says "
        "nothing of how often that is: the queue then shows no interval for all.",
    )
    seed = forms.IntegerField(
        initial=1,
        required=False,
        widget=widgets.UnfoldAdminIntegerFieldWidget,
        help_text="The same number gives the same sample again.",
    )

    def __init__(self, data: Any, *, noun: str) -> None:
        super().__init__(data)
        units = [unit for unit, plural in queues.NOUNS.items() if plural == noun]
        rows = ReviewQueue.objects.filter(unit__in=units).exclude(state=QueueState.CLOSED).order_by("name")
        choices = [(str(row.pk), f"{row.name} ({row.get_unit_display().lower()})") for row in rows[:MOST_QUEUES]]
        self.fields["queue"].choices = choices  # type: ignore[attr-defined]
        self.has_queues = bool(choices)
        ways: dict[str, str] = {}
        for unit in units:
            ways |= {how: ways.get(how, words) for how, words in sampling_rows.offers(unit).items()}
        if len(units) > 1:
            ways[sampling_rows.DIFFERS] = "Only runs and replays that answer otherwise than each other"
        self.fields["how"].choices = list(ways.items())  # type: ignore[attr-defined]


def view(admin: Any, request: HttpRequest) -> HttpResponse:
    """Ask which queue gets the selection in the address, then add it."""
    if not admin.may(request, "change"):
        raise PermissionDenied
    noun = request.GET.get("noun", "")
    if noun not in NOUNS or noun not in queues.NOUNS.values():
        raise Http404("Nothing can be reviewed there.")
    try:
        selection = _selection(noun, request)
    except InvalidInput as error:
        raise Http404(error.message) from error
    form = FillForm(request.POST if request.method == "POST" else None, noun=noun)
    if request.method == "POST" and form.is_valid():
        try:
            return _fill(request, form.cleaned_data, selection)
        except Forbidden as error:
            raise PermissionDenied(error.message) from error
        except AIError as error:
            form.add_error(error.param if error.param in form.fields else None, error.message)
    context = {
        "form": form,
        "described": selection.describe(),
        "back": badges.url(f"{NOUNS[noun]._meta.label_lower.replace('.', '_')}_changelist"),
        "add_url": badges.url("ai_reviewqueue_add"),
    }
    response: HttpResponse = admin.page(request, "admin/ai/reviewqueue/fill.html", f"Review these {noun}", **context)
    return response


def _selection(noun: str, request: HttpRequest) -> Selection:
    if "ids" in request.GET:  # none of them is not the whole list
        return Selection.of_ids(noun, request.GET["ids"].split(","))
    parameters = {name: value for name, value in request.GET.items() if name != "noun"}
    return Selection.of_list(noun, parameters)


def _fill(request: HttpRequest, given: dict[str, Any], selection: Selection) -> HttpResponse:
    made = filling.start(
        queue_id=UUID(given["queue"]),
        selection=selection,
        by=request.user,
        at=timezone.now(),
        sample=given["sample"],
        seed=1 if given["seed"] is None else given["seed"],
        how=given["how"],
    )
    queue_url, user = badges.url("ai_reviewqueue_change", given["queue"]), request.user
    if not isinstance(made, Job):
        messages.success(
            request, f"{made:,} item{'s' * (made != 1)} added; what the queue had already is not there twice."
        )
        return HttpResponseRedirect(queue_url)
    messages.success(request, "The sample is being drawn in the background. You are told when it is there.")
    return HttpResponseRedirect(badges.url("ai_job_change", made.pk) if user.has_perm("ai.view_job") else queue_url)


def under_way(request: HttpRequest, queue: ReviewQueue) -> dict[str, Any] | None:
    """The sample that is being drawn for a queue, as its page says it; None without one."""
    job = filling.open_job(queue_id=queue.pk)
    if job is None:
        return None
    user: Any = request.user
    url = badges.url("ai_job_change", job.pk) if user.has_perm("ai.view_job") else ""
    return {"bar": badges.progress(job.percent), "percent": job.percent, "url": url}


def job_context(_request: HttpRequest, job: Job) -> dict[str, Any]:
    """What the page of a job says that draws a sample."""
    data = job.data
    how = data.get("how", "")
    unit = ReviewQueue.objects.filter(pk=data.get("queue")).values_list("unit", flat=True).first()
    return {
        "progress_words": f"{job.percent} % of the rows read",
        "words": data.get("words", ""),
        "how": sampling_rows.offers(unit).get(how, how) if unit else how,
        "sample": data.get("sample"),
        "seed": data.get("seed"),
        "added": data.get("added"),
        "known": data.get("chosen", 0) - data.get("added", 0),
    }


class Reviewable:
    """Goes before the class of a page whose rows can be reviewed; `noun` is what they are called among selections."""

    noun = ""
    actions: Any = ("export_selected", "review_selected")

    def has_fill_permission(self, request: HttpRequest) -> bool:
        """`ai.change_reviewqueue`."""
        user: Any = request.user
        return bool(user.has_perm("ai.change_reviewqueue"))

    @action(description="Review…", permissions=["fill"])
    def review_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        """Ask which queue gets the ticked rows."""
        chosen = ",".join(key.hex for key in pks_of(queryset, most=MOST_TICKED))
        return HttpResponseRedirect(reverse("admin:ai_reviewqueue_fill", query={"noun": self.noun, "ids": chosen}))

    def list_buttons(self, request: HttpRequest, changelist: Any) -> list[Button]:
        """Also the way to review what the list shows, or a sample of it."""
        found: list[Button] = super().list_buttons(request, changelist)  # type: ignore[misc]
        if not self.has_fill_permission(request) or not changelist.result_list:
            return found
        query = {name: str(value) for name, value in request.GET.items() if name not in APPEARANCE - {"q"}}
        url = reverse("admin:ai_reviewqueue_fill", query={**query, "noun": self.noun})
        return [*found, Button("Review a sample…", url, "rate_review")]
