"""Sync conflicts: the list, and a page for each with both sides, on which a person decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from ai.admin.parts import badges
from ai.admin.parts.base import ReadAdmin, answer, in_bulk
from ai.admin.parts.filters import DateFilter, TenantFilter, exact
from ai.models import ChatThread, SyncConflict
from ai.models.conflicts import ConflictKind, ConflictStatus
from ai.services import diffs, rendering
from ai.services.sync import conflicts
from ai.stores.content import searchable

#: What each decision means, for each kind of conflict: (the remote's, ours).
WORDS: dict[str, tuple[str, str]] = {
    ConflictKind.EDITED_BOTH: ("Take theirs", "Keep ours"),
    ConflictKind.EDITED_HERE: ("Take theirs", "Keep ours"),
    ConflictKind.DIFFERS: ("Take theirs", "Keep ours"),
    ConflictKind.DELETED_HERE: ("Bring it back", "Leave it deleted"),
    ConflictKind.DELETED_THERE: ("Delete it here too", "Keep it here"),
}
#: What follows from each, in the same order.
CONSEQUENCES: dict[str, tuple[str, str]] = {
    ConflictKind.DELETED_HERE: (
        "The message is added again, at the end of the thread.",
        "The message stays deleted here, and stays on the remote. It is not asked about again.",
    ),
    ConflictKind.DELETED_THERE: (
        "The message is deleted here with the feedback on it.",
        "The message stays here. It is not asked about again.",
    ),
}
OTHERWISE = (
    "The message here says from now on what the remote says.",
    "The message stays as it is here. The two stay different until one of them is changed again.",
)


@admin.register(SyncConflict)
class SyncConflictAdmin(ReadAdmin):
    """What two sides tell differently."""

    list_display = ("thread", "what", "words", "state", "found")
    list_display_links = ("what",)
    list_filter = (
        exact("status", "status", ConflictStatus.choices),
        exact("kind", "kind", ConflictKind.choices),
        TenantFilter,
        ("created", DateFilter),
    )
    search_fields = ("external_id",)
    search_help_text = "A remote ID, a thread, or an ID"
    id_fields = ("thread_id", "message_id")
    lookups = ("thread_id",)
    page_template = "admin/ai/syncconflict/page.html"
    empty_title = "No conflicts yet"
    empty_text = "When a sync finds a message changed on both sides, or deleted on one, it waits here for a decision."

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        """The threads' titles: one query."""
        super().prepare_rows(request, rows)
        threads = in_bulk(ChatThread, (row.thread_id for row in rows), "name")
        for row in rows:
            row.thread_row = threads.get(str(row.thread_id))

    @display(description="Thread")
    def thread(self, row: Any) -> SafeString:
        """Where the message is."""
        return badges.thread_link(row.thread_id, row.thread_row.name if row.thread_row else "")

    @display(description="What differs")
    def what(self, row: SyncConflict) -> str:
        """How the sides differ."""
        return str(row.get_kind_display())

    @display(description="Message")
    def words(self, row: SyncConflict) -> SafeString:
        """The beginning of what is said."""
        return badges.clip(searchable(row.local or row.remote), 70)

    @display(description="State")
    def state(self, row: SyncConflict) -> SafeString:
        """Whether somebody has to decide, or how it was decided."""
        if row.is_open:
            return badges.badge("Open", "orange")
        return badges.badge(row.get_decision_display(), "green", title=row.decided_by)

    @display(description="Found")
    def found(self, row: SyncConflict) -> SafeString:
        """When."""
        return badges.when(row.created)

    # -- The page
    def page_context(self, request: HttpRequest, row: SyncConflict) -> dict[str, Any]:
        """Both sides, with what differs marked."""
        ours, theirs = searchable(row.local), searchable(row.remote)
        thread = ChatThread.objects.filter(pk=row.thread_id).only("name").first()
        may_decide = row.is_open and self.has_decide_permission(request)
        decisions = zip(("remote", "local"), WORDS[row.kind], strict=True)
        return {
            "subtitle": str(row.get_kind_display()),
            "state_badge": self.state(row),
            "thread_link": badges.thread_link(row.thread_id, thread.name if thread else "", message=row.message_id),
            "ours": ours,
            "theirs": theirs,
            "pieces": diffs.words(ours, theirs) if row.local and row.remote else [],
            "our_facts": _facts(row.local),
            "their_facts": _facts(row.remote),
            "decisions": [
                (words, badges.url("ai_syncconflict_decide", row.pk, decision)) for decision, words in decisions
            ]
            if may_decide
            else [],
            "next_url": _next_url(row) if not row.is_open else "",
        }

    def extra_urls(self) -> Iterable[tuple[str, str, Callable[..., HttpResponse]]]:
        """The dialog that decides."""
        return [("<uuid:object_id>/decide/<str:state>/", "decide", self.decide_view)]

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """`ai.decide_syncconflict`."""
        return self.may(request, "decide")

    def decide_view(self, request: HttpRequest, object_id: Any, state: str) -> HttpResponse:
        """Ask, then let one side stand."""
        row = self.get_object_or_404(request, str(object_id))
        if not self.has_decide_permission(request):
            raise PermissionDenied
        back = badges.url("ai_syncconflict_change", row.pk)
        place = 0 if state == "remote" else 1
        if request.method != "POST":
            return self.confirm(
                request,
                title=f"{WORDS[row.kind][place]}?",
                text=CONSEQUENCES.get(row.kind, OTHERWISE)[place],
                button=WORDS[row.kind][place],
                back=back,
                danger=row.kind == ConflictKind.DELETED_THERE and state == "remote",
            )

        def act() -> tuple[str, str]:
            conflicts.decide(conflict_id=row.pk, decision=state, by=request.user, at=timezone.now())
            return "Decided.", _next_url(row) or back

        return answer(request, back, act)


def _next_url(row: SyncConflict) -> str:
    """The thread's next open conflict."""
    following = SyncConflict.objects.open_of(row.thread_id).exclude(pk=row.pk).first()
    return badges.url("ai_syncconflict_change", following.pk) if following else ""


def _facts(message: Any) -> list[tuple[str, str]]:
    """Who speaks, and the metadata."""
    if not isinstance(message, dict):
        return []
    metadata = message.get("metadata")
    pairs = list(metadata.items())[:16] if isinstance(metadata, dict) else []
    return [
        ("Role", str(message.get("role") or "user")),
        *((rendering.visible(str(k)), rendering.visible(str(v))) for k, v in pairs),
    ]
