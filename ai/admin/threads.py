"""Threads: the list, the transcript, and what can be done with a selection of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from unfold.decorators import action, display

from ai.admin import imports, replays, retitles, syncs
from ai.admin.parts import badges, filters, keyboard, presence, selections, thread_filters, transcript
from ai.admin.parts.base import ConsoleAdmin, pks_of
from ai.admin.parts.csv_imports import CsvImport
from ai.admin.parts.exports import Exports
from ai.admin.parts.review_filling import Reviewable
from ai.models import ChatThread
from ai.models.presences import PresenceKind
from ai.services import rendering, search
from ai.templatetags.console import since

SYNC = {
    "linked": ("Linked", "green", "cloud_done"),
    "changed": ("Not in step", "blue", "cloud_sync"),
    "conflict": ("Conflict", "orange", "sync_problem"),
    "gone": ("Remote gone", "red", "cloud_off"),
}
THUMBS = {
    "up": ("thumb_up", "green", "Thumbs up"),
    "down": ("thumb_down", "red", "Thumbs down"),
    "mixed": ("thumbs_up_down", "orange", "Thumbs up and down"),
}
SHOWN_TAGS = 2
DATES = ("last_activity_at_from", "last_activity_at_to")


@admin.register(ChatThread)
class ThreadAdmin(Reviewable, Exports, CsvImport, ConsoleAdmin):
    """The list of threads; a thread's page is its transcript."""

    noun = "threads"
    list_display = ("title", "user", "tag_links", "message_count", "activity", "answered_by", "thumbs", "remote_side")
    list_display_links = ("title",)
    list_filter = (
        thread_filters.TagFilter,
        filters.TenantFilter,
        thread_filters.UserFilter,
        ("last_activity_at", filters.DateFilter),
        thread_filters.ModelFilter,
        thread_filters.FeedbackFilter,
        thread_filters.FilesFilter,
        thread_filters.SyncFilter,
    )
    search_fields = ("name",)
    search_help_text = "Search titles and messages"
    ordering = ("-last_activity_at", "-pk")
    lookups = ("tag", "tenant", "user", "model", "feedback", "files", "sync", *DATES)
    actions = ("replay_on", "retitle", "sync_now", "export_selected", "review_selected", "delete_threads")
    empty_title = "No conversations yet"
    empty_text = "Threads appear here as soon as your application stores one. To look around first, load the demo."

    class Media:
        js = ("ai/console.js",)

    # -- The list
    @display(description="Title")
    def title(self, row: ChatThread) -> Any:
        """The title, and below it the text that a search found."""
        name = format_html('<bdi class="c-title">{}</bdi>', rendering.visible(row.name or "Untitled"))
        found = getattr(row, "excerpt", "")
        return format_html('{}<span class="c-excerpt" dir="auto">{}</span>', name, found) if found else name

    @display(description="User")
    def user(self, row: ChatThread) -> Any:
        """The user, as a filter."""
        return self._filter_link("user", row.user_id) if row.user_id else badges.NONE

    @display(description="Tags")
    def tag_links(self, row: ChatThread) -> Any:
        """The tags, each a filter."""
        tags = [str(tag) for tag in row.tags or []] if isinstance(row.tags, list) else []
        if not tags:
            return badges.NONE
        links = format_html_join(
            "",
            '<a class="c-tag" href="{}">{}</a>',
            ((_query(tag=tag), rendering.visible(tag)) for tag in tags[:SHOWN_TAGS]),
        )
        more = format_html('<span class="c-muted" title="{}">+{}</span>', ", ".join(tags), len(tags) - SHOWN_TAGS)
        return format_html('<span class="c-tags">{}{}</span>', links, more if len(tags) > SHOWN_TAGS else "")

    @display(description="Last activity")
    def activity(self, row: ChatThread) -> Any:
        """How long ago."""
        return since(row.last_activity_at)

    @display(description="Model")
    def answered_by(self, row: ChatThread) -> Any:
        """The model that answered last, as a filter."""
        return self._filter_link("model", row.model, "c-mono") if row.model else badges.NONE

    @display(description="Feedback")
    def thumbs(self, row: ChatThread) -> Any:
        """What people think of the answers."""
        if row.feedback not in THUMBS:
            return badges.NONE
        icon, tone, words = THUMBS[row.feedback]
        return badges.badge("", tone, icon=icon, title=words)

    @display(description="Remote")
    def remote_side(self, row: ChatThread) -> Any:
        """Whether the thread also lives elsewhere."""
        if row.sync_state not in SYNC:
            return badges.NONE
        label, tone, icon = SYNC[row.sync_state]
        return badges.badge("", tone, icon=icon, title=f"{label}: {rendering.visible(row.external_id or '')}")

    def _filter_link(self, name: str, value: str, style: str = "") -> Any:
        shown = rendering.visible(value)
        return format_html(
            '<a class="c-filter {}" href="{}" title="{}">{}</a>', style, _query(**{name: value}), shown, shown
        )

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Threads with the words in their title or messages, or with that id; bounded by `search.MOST_MATCHES`."""
        term = search_term.strip()
        if not term:
            return queryset, False
        known = search.by_id(term)
        if known:
            return queryset.filter(pk=known.pk), False
        hits = search.threads(term)
        request._ai_hits = hits  # type: ignore[attr-defined]
        request._ai_words = search.words_of(term)  # type: ignore[attr-defined]
        return search.with_texts(queryset, hits), False

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        """Add the excerpts that a search found."""
        super().prepare_rows(request, rows)
        hits = getattr(request, "_ai_hits", {})
        for row in rows:
            hit = hits.get(row.pk)
            if hit and hit.message_id:
                row.excerpt = rendering.highlight(row.found_text or "", request._ai_words)  # type: ignore[attr-defined]
                row.found_message = hit.message_id

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        """A list whose rows lead to the message that was found."""
        return transcript.ThreadList

    def empty_links(self, request: HttpRequest) -> list[tuple[str, str]]:
        """Where conversations come from."""
        may_import = self.has_import_permission(request)
        return [("Import threads", badges.url("ai_chatthread_import"))] if may_import else []

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list."""
        response: HttpResponse = super().changelist_view(request, {"title": "Threads", **(extra_context or {})})
        return response

    def list_buttons(self, request: HttpRequest, changelist: Any) -> list[Any]:
        """Also the ways to titles, to a sync, and to bringing conversations in."""
        found = [*super().list_buttons(request, changelist), *retitles.buttons(request, changelist)]
        found += syncs.buttons(self, request, changelist)
        may_import = self.has_import_permission(request)
        return [*found, imports.button(badges.url("ai_chatthread_import"))] if may_import else found

    # -- The thread's page
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The transcript."""
        if object_id is None or request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        return transcript.show(self, request, object_id)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page that asks before deleting."""
        return HttpResponseRedirect(selections.url("delete", [object_id]))

    def extra_urls(self) -> Iterable[tuple[str, str, Callable[..., HttpResponseBase]]]:
        """The transcript's doors, and the pages that ask before acting on a selection."""
        return (
            *transcript.urls(self),
            *selections.urls(self),
            *retitles.thread_urls(self),
            *syncs.thread_urls(self),
            *replays.thread_urls(self),
            *imports.urls(self),
            *keyboard.urls(self),
            presence.url("<uuid:object_id>/here/", PresenceKind.THREAD),
        )

    # -- Actions: each leads to a page that asks, with the selection in its address
    @action(description="Replay on…", permissions=["replay"])
    def replay_on(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        """Run the last answers again on other models."""
        return HttpResponseRedirect(selections.url("replay", pks_of(queryset)))

    @action(description="Retitle…", permissions=["retitle"])
    def retitle(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        """Find better titles."""
        return HttpResponseRedirect(retitles.ask_url(pks_of(queryset), request.GET.urlencode()))

    @action(description="Sync now…", permissions=["sync"])
    def sync_now(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        """Bring the threads in step with their remote sides."""
        return HttpResponseRedirect(syncs.url("sync", pks_of(queryset)))

    @action(description="Delete…", permissions=["delete"])
    def delete_threads(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        """Delete the threads."""
        return HttpResponseRedirect(selections.url("delete", pks_of(queryset)))

    # -- Permissions
    def has_add_permission(self, request: HttpRequest) -> bool:
        """Threads come from applications, imports and replays, never from a form."""
        return False

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """`ai.replay_run`."""
        user: Any = request.user
        return bool(user.has_perm("ai.replay_run"))

    def has_sync_permission(self, request: HttpRequest) -> bool:
        """`ai.sync_chatthread`."""
        return syncs.may_sync(request)

    def has_retitle_permission(self, request: HttpRequest) -> bool:
        """`ai.retitle_chatthread`."""
        return self.may(request, "retitle")


def _query(**values: str) -> str:
    return "?" + urlencode(values)
