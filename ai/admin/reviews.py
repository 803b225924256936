"""Review queues: the list, a queue's page, making and filling one, and deciding where reviewers disagree."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from ai.admin.parts import (
    badges,
    presence,
    review_figures,
    review_filling,
    review_forms,
    review_judge,
    review_leading,
    review_tasks,
)
from ai.admin.parts.base import ReadAdmin, answer
from ai.admin.parts.filters import DateFilter, TenantFilter, exact
from ai.exceptions import AIError, Forbidden, InvalidInput, NotFound
from ai.models import ReviewItem, ReviewQueue, ReviewRubric, ReviewVerdict
from ai.models.presences import PresenceKind
from ai.models.reviews import QueueState
from ai.services import rendering
from ai.services.reviews import assigning, deciding, figures, queues

TONES = {QueueState.OPEN: "green", QueueState.PAUSED: "orange", QueueState.CLOSED: "gray"}
#: Disputed items shown on a queue's page.
MOST_DISPUTED = 50
NOBODY_YET = "Nobody has reviewed anything yet."


@admin.register(ReviewQueue)
class ReviewQueueAdmin(ReadAdmin):
    """Things to review, and how far they are."""

    list_display = ("title", "about", "status", "progress", "created_at")
    list_display_links = ("title",)
    list_filter = (exact("state", "state", QueueState.choices), TenantFilter, ("created", DateFilter))
    list_defer = ("source",)
    search_fields = ("name",)
    search_help_text = "A name, or an ID"
    page_template = "admin/ai/reviewqueue/page.html"
    empty_title = "No review queues yet"
    empty_text = "Make one, say what reviewers are asked, and fill it from any list of threads, messages or runs."

    # -- Permissions
    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may look at queues, or review."""
        return self.may(request, "view") or self.may(request, "review")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """`ai.add_reviewqueue`."""
        return self.may(request, "add")

    # -- The list
    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        """How far each is: one query."""
        super().prepare_rows(request, rows)
        counts = figures.counts(queue_ids=[row.pk for row in rows])
        for row in rows:
            row.reviews, row.answered = counts.get(row.pk, (0, 0))

    @display(description="Name")
    def title(self, row: ReviewQueue) -> SafeString:
        """Its name."""
        return badges.clip(row.name, 60)

    @display(description="Reviews")
    def about(self, row: ReviewQueue) -> str:
        """What is reviewed, and how often."""
        words = row.get_unit_display()
        return f"{words}, {row.reviews_per_item} times" if row.reviews_per_item > 1 else words

    @display(description="State")
    def status(self, row: ReviewQueue) -> SafeString:
        """Whether it gives out work."""
        return badges.badge(row.get_state_display(), TONES[QueueState(row.state)])

    @display(description="Progress")
    def progress(self, row: Any) -> SafeString:
        """How many reviews there are of those that are needed."""
        done = row.answered * 100 // row.reviews if row.reviews else 0
        return format_html("{} {} of {}", badges.progress(done), f"{row.answered:,}", f"{row.reviews:,}")

    @display(description="Created")
    def created_at(self, row: ReviewQueue) -> SafeString:
        """When it was made."""
        return badges.when(row.created)

    # -- Its page
    def page_context(self, request: HttpRequest, row: ReviewQueue) -> dict[str, Any]:
        """Progress, people, agreement and what was found; never who answered what."""
        now = timezone.now()
        leads = self.may(request, "change")
        rubric = ReviewRubric.objects.current(row.pk)
        disputed = ReviewItem.objects.filter(queue_id=row.pk, state="disputed").order_by("position")
        progress = figures.progress(queue_id=row.pk, at=now)
        is_open = row.state == QueueState.OPEN and progress.answered < progress.reviews
        return {
            "subtitle": rendering.visible(row.name),
            "status": self.status(row),
            "about": self.about(row),
            "instructions": row.instructions,
            "rubric": rubric,
            "questions": rubric.rubric.questions,
            "progress": progress,
            "source": review_filling.source_words(row),
            "filling": review_filling.under_way(request, row) if leads else None,
            "reviewers": review_leading.reviewers(row, at=now) if leads else [],
            "people": assigning.people(queue_id=row.pk) if leads else [],
            "lately": review_leading.lately(request, row, at=now),
            **({"judging": review_judge.panel(request, row)} if leads else {}),
            **(review_figures.context(request, row) if leads else {}),
            "disputed": disputed[:MOST_DISPUTED] if self.may(request, "adjudicate") else [],
            "may_review": self.may(request, "review") and is_open,
            "can_undo": review_leading.can_undo(request, row),
            "leads": leads,
            "nobody_yet": NOBODY_YET,
            **review_leading.source_list(row),
        }

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The queue's page, or the form that makes one."""
        if object_id is not None:
            return super().changeform_view(request, object_id, form_url, extra_context)
        if not self.has_add_permission(request):
            raise PermissionDenied
        return self._make(request)

    def _make(self, request: HttpRequest) -> HttpResponse:
        is_posted = request.method == "POST"
        form = review_forms.QueueForm(request.POST if is_posted else None, request=request)
        rows = review_forms.rows(request.POST if is_posted else None)
        problem = ""
        if is_posted and form.is_valid():
            try:
                made = queues.make(
                    **form.arguments(), questions=review_forms.questions(rows), by=request.user, at=timezone.now()
                )
            except Forbidden as error:
                raise PermissionDenied(error.message) from error
            except AIError as error:
                problem = error.message if error.param not in form.fields else ""
                if not problem:
                    form.add_error(error.param, error.message)
            else:
                messages.success(request, "The queue is made. Fill it from a list: choose rows there, then “Review…”.")
                return HttpResponseRedirect(badges.url("ai_reviewqueue_change", made.pk))
        words = {
            "form": form,
            "rows": rows,
            "types": review_forms.TYPES,
            "problem": problem,
            "button": "Make the queue",
        }
        back = badges.url("ai_reviewqueue_changelist")
        return self.page(request, "admin/ai/reviewqueue/form.html", "Make a review queue", back=back, **words)

    # -- Further pages
    def extra_urls(self) -> Iterable[tuple[str, str, Callable[..., HttpResponse]]]:
        """Reviewing, the judge, leading, filling, asking, opening and closing, deciding."""
        return [
            *review_tasks.urls(self),
            *review_judge.urls(self),
            *review_leading.urls(self),
            ("fill/", "fill", lambda request: review_filling.view(self, request)),
            ("<uuid:object_id>/ask/", "ask", self.ask_view),
            ("<uuid:object_id>/state/", "state", self.state_view),
            ("decide/<uuid:object_id>/", "decide", self.decide_view),
            presence.url("decide/<uuid:object_id>/here/", PresenceKind.REVIEW),
        ]

    def _led(self, request: HttpRequest, object_id: UUID) -> ReviewQueue:
        row: ReviewQueue = self.get_object_or_404(request, str(object_id))
        if not self.may(request, "change"):
            raise PermissionDenied
        return row

    def ask_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Change what the queue asks."""
        row = self._led(request, object_id)
        current = ReviewRubric.objects.current(row.pk)
        is_posted = request.method == "POST"
        rows = review_forms.rows(request.POST if is_posted else None, current.rubric)
        problem = ""
        if is_posted:
            asked = review_forms.questions(rows, current.rubric)
            try:
                now = queues.ask(queue_id=row.pk, questions=asked, by=request.user, at=timezone.now())
            except Forbidden as error:
                raise PermissionDenied(error.message) from error
            except AIError as error:
                problem = error.message
            else:
                messages.success(request, f"Reviewers are asked version {now.version} from now on.")
                return HttpResponseRedirect(badges.url("ai_reviewqueue_change", row.pk))
        context = {"rows": rows, "types": review_forms.TYPES, "problem": problem, "button": "Ask this from now on"}
        back = badges.url("ai_reviewqueue_change", row.pk)
        title = f"What “{rendering.visible(row.name)}” asks"
        return self.page(
            request, "admin/ai/reviewqueue/form.html", title, back=back, is_frozen=bool(current.frozen_at), **context
        )

    def state_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Open, pause or close."""
        row = self._led(request, object_id)
        back = badges.url("ai_reviewqueue_change", row.pk)
        if request.method != "POST":
            return HttpResponseRedirect(back)

        def act() -> tuple[str, str]:
            moved = queues.move(
                queue_id=row.pk, state=request.POST.get("state", ""), by=request.user, at=timezone.now()
            )
            return f"The queue is {moved.get_state_display().lower()}.", back

        return answer(request, back, act)

    def decide_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """All answers to a disputed item, and the form that decides."""
        if not self.may(request, "adjudicate"):
            raise PermissionDenied
        item = ReviewItem.objects.filter(pk=object_id).first()
        if item is None:
            raise Http404("There is no such item.")
        queue = queues.get(item.queue_id)
        rubric = ReviewRubric.objects.current(queue.pk).rubric
        back = reverse("admin:ai_reviewqueue_change", args=[queue.pk])
        given = review_forms.posted(rubric, request.POST) if request.method == "POST" else {}
        if "withdraw" in request.POST:
            return answer(request, back, lambda: self._withdrawn(request, item, back))
        refused = self._decide(request, item, given) if request.method == "POST" else None
        if request.method == "POST" and refused is None:
            return HttpResponseRedirect(back)
        wrong, error = (refused.param or "", refused.message) if refused else ("", "")
        try:
            shown = review_tasks.material(queue, item)
        except NotFound as missing:
            raise Http404(missing.message) from missing
        context = {
            **shown,
            "back": back,
            "fields": review_forms.fields(rubric, given, wrong=wrong, error=error),
            "others": review_filling.answers(item, rubric, by=request.user),
            "voice": review_judge.voice(item, by=request.user),
            "verdict": ReviewVerdict.objects.filter(item_id=item.pk).first(),
        }
        return self.page(request, "admin/ai/reviewqueue/decide.html", queue.name, **context)

    def _withdrawn(self, request: HttpRequest, item: ReviewItem, back: str) -> tuple[str, str]:
        deciding.withdraw(item_id=item.pk, by=request.user, at=timezone.now())
        return "The decision is withdrawn; the item is disputed again.", back

    def _decide(self, request: HttpRequest, item: ReviewItem, given: dict[str, Any]) -> InvalidInput | None:
        """Decide; what is wrong with the answers, if anything is."""
        reason = request.POST.get("reason", "")
        try:
            deciding.decide(item_id=item.pk, answers=given, by=request.user, at=timezone.now(), reason=reason)
        except InvalidInput as error:
            return error
        except Forbidden as error:
            raise PermissionDenied(error.message) from error
        except AIError as error:
            messages.error(request, error.message)
        else:
            messages.success(request, "Decided.")
        return None
