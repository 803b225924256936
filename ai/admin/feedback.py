"""Feedback: the list to triage from, and a page for each with the message it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from ai.admin.parts import badges, presence
from ai.admin.parts.base import ReadAdmin, answer, in_bulk, pks_of
from ai.admin.parts.csv_imports import CsvImport
from ai.admin.parts.doors import Door, doors
from ai.admin.parts.exports import Exports
from ai.admin.parts.filters import DateFilter, TenantFilter, exact
from ai.admin.parts.lists import Button
from ai.exceptions import AIError
from ai.models import ChatThread, Feedback, Message
from ai.models.feedback import FeedbackState, Rating
from ai.models.presences import PresenceKind
from ai.services import feedback, rendering, search
from ai.services.triage import fixes
from ai.stores.content import text_of

#: Messages shown before and after the one that the feedback is about.
AROUND = 2
INBOX = "ai.admin.parts.inbox"
#: The inbox, the door through which its buttons go, and its saved views.
INBOX_DOORS = (
    ("inbox/", "inbox", "show"),
    ("inbox/act/", "inbox_act", "act"),
    ("inbox/views/", "inbox_views", "views"),
)
VERBS = {"open": "Reopen", "triaged": "Mark as triaged", "resolved": "Resolve", "dismissed": "Dismiss"}
ICONS = {"open": "undo", "triaged": "label", "resolved": "check", "dismissed": "block"}


def _bulk(state: str) -> Callable[..., HttpResponse | None]:
    """The list's action that moves the ticked feedback to `state`, after a confirmation."""

    @admin.action(description=f"{VERBS[state]}…", permissions=["triage"])
    def move(page: FeedbackAdmin, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return page.move_selected(request, queryset, state)

    move.__name__ = f"move_to_{state}"
    return move


@admin.register(Feedback)
class FeedbackAdmin(Exports, CsvImport, ReadAdmin):
    """What people said stays; its state moves."""

    noun = "feedback"
    list_display = ("who", "rating_badge", "state_badge", "words", "about", "given")
    list_display_links = ("who",)
    list_filter = (
        exact("state", "state", FeedbackState.choices),
        exact("rating", "rating", Rating.choices),
        TenantFilter,
        ("given_at", DateFilter),
    )
    list_defer = ("history",)
    ordering = ("-given_at", "-pk")
    search_fields = search.WAYS[Feedback].texts
    search_help_text = "Words of a comment, a user, or an ID"
    lookups = ("thread_id", "message_id")
    actions = (*(_bulk(state) for state in ("triaged", "resolved", "dismissed", "open")), "export_selected")
    shows_content = True
    page_template = "admin/ai/feedback/page.html"
    empty_title = "No feedback yet"
    empty_text = "Open a thread and rate an answer with the thumbs beside it; feedback of your users arrives here, too."

    def empty_links(self, request: HttpRequest) -> list[tuple[str, str]]:
        """Where feedback is given."""
        return [("Open threads", badges.url("ai_chatthread_changelist"))]

    def has_triage_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """`ai.change_feedback`."""
        return self.may(request, "change")

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        """The messages' beginnings: one query."""
        super().prepare_rows(request, rows)
        about = in_bulk(Message, (row.message_id for row in rows), "preview")
        for row in rows:
            row.message_row = about.get(str(row.message_id))

    @display(description="From")
    def who(self, row: Feedback) -> SafeString:
        """Who gave it."""
        return badges.clip(row.user_id, 30)

    @display(description="Rating")
    def rating_badge(self, row: Feedback) -> SafeString:
        """The thumb, or the score."""
        if not row.rating and row.score is not None:
            return badges.badge(f"{row.score:g}", "blue")
        return badges.rating(row.rating)

    @display(description="State")
    def state_badge(self, row: Feedback) -> SafeString:
        """Where its triage stands."""
        return badges.status(row.state, row.get_state_display())

    @display(description="Comment")
    def words(self, row: Feedback) -> SafeString:
        """How the comment begins."""
        return badges.clip(row.comment or row.label, 70)

    @display(description="Message")
    def about(self, row: Any) -> SafeString:
        """The message, in its transcript."""
        text = row.message_row.preview if row.message_row else ""
        return badges.thread_link(row.thread_id, text or "Message", message=row.message_id)

    @display(description="Given")
    def given(self, row: Feedback) -> SafeString:
        """When it was last given."""
        return badges.when(row.given_at)

    # -- The page
    def page_context(self, request: HttpRequest, row: Feedback) -> dict[str, Any]:
        """The feedback with the message in its surroundings."""
        about: Any = Message.objects.filter(pk=row.message_id).first()
        thread = ChatThread.objects.filter(pk=row.thread_id).only("pk", "name").first()
        around: list[Any] = []
        if about:
            near = {"sequence__gte": about.sequence - AROUND, "sequence__lte": about.sequence + AROUND}
            around = list(Message.objects.list_thread_messages(row.thread_id).filter(**near))
        may_read = request.user.has_perm("ai.view_message") or request.user.has_perm("ai.view_chatthread")
        states = [(state, VERBS[state], ICONS[state]) for state in VERBS if state != row.state]
        return {
            "subtitle": f"{row.get_rating_display() or 'Comment'} from {row.user_id}",
            "thread_row": thread,
            "comment": rendering.visible(row.comment),
            "fix": fixes.fix_of(row),
            "around": [
                {
                    "row": message,
                    "html": rendering.markdown(text_of(message.message)),
                    "is_it": message.pk == row.message_id,
                }
                for message in around
            ]
            if may_read
            else [],
            "transcript_url": badges.url("ai_chatthread_change", row.thread_id, message=row.message_id)
            if thread
            else "",
            "history": [_entry(entry) for entry in reversed(row.history) if isinstance(entry, dict)],
            "states": states if self.has_triage_permission(request) else [],
        }

    def extra_urls(self) -> Iterable[Door]:
        """The dialog that moves one, and the inbox."""
        here = presence.url("<uuid:object_id>/here/", PresenceKind.FEEDBACK)
        return [
            ("<uuid:object_id>/move/<slug:state>/", "move", self.move_view),
            here,
            *doors(INBOX, self, *INBOX_DOORS),
        ]

    def list_buttons(self, request: HttpRequest, changelist: Any) -> list[Button]:
        """The inbox, besides what can be done with the list."""
        return [Button("Inbox", badges.url("ai_feedback_inbox"), "inbox"), *super().list_buttons(request, changelist)]

    def move_view(self, request: HttpRequest, object_id: Any, state: str) -> HttpResponse:
        """Ask, then move one feedback to another state."""
        row = self.get_object_or_404(request, str(object_id))
        if not self.has_triage_permission(request):
            raise PermissionDenied
        back = badges.url("ai_feedback_change", row.pk)
        if request.method != "POST" and state in VERBS:
            text = f"It is “{row.get_state_display()}” now, and will be “{FeedbackState(state).label}”."
            return self.confirm(request, title=f"{VERBS[state]}?", text=text, button=VERBS[state], back=back)

        def act() -> tuple[str, str]:
            moved = feedback.set_state(feedback_id=row.pk, state=state, by=request.user, at=timezone.now())
            return f"The feedback is “{moved.get_state_display()}”.", back

        return answer(request, back, act)

    def move_selected(self, request: HttpRequest, queryset: Any, state: str) -> HttpResponse | None:
        """Ask about the ticked feedback, then move it."""
        keys = pks_of(queryset)
        if "confirmed" not in request.POST:
            hidden = [("action", f"move_to_{state}"), ("confirmed", "yes"), ("index", "0")]
            hidden += [(ACTION_CHECKBOX_NAME, str(key)) for key in keys]
            text = f"{len(keys)} chosen. Each will be “{FeedbackState(state).label}”; the move stays in its history."
            where = request.get_full_path()
            title = f"{VERBS[state]}: {len(keys)} feedback?"
            return self.confirm(
                request, title=title, text=text, button=VERBS[state], back=where, hidden=hidden, action=where
            )
        try:
            count = feedback.set_states(feedback_ids=keys, state=state, by=request.user, at=timezone.now())
        except AIError as error:
            messages.error(request, error.message)
        else:
            messages.success(request, f"{count} feedback: {FeedbackState(state).label.lower()}.")
        return None


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    """A line of the history: a move, or what was said before."""
    state = str(entry.get("state") or "")
    return {
        "at": str(entry.get("at") or "")[:16].replace("T", " "),
        "by": rendering.visible(str(entry.get("by") or "")),
        "was_state": badges.status(state) if state else "",
        "rating": badges.rating(str(entry.get("rating") or "")) if not state else "",
        "comment": rendering.visible(str(entry.get("comment") or "")),
    }
