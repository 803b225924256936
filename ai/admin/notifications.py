"""A person's own notifications: the list behind the bell, and what they want to be told of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from ai import ids
from ai.admin.parts import badges
from ai.admin.parts.base import ReadAdmin, answer, sees_several_tenants, tenant_names
from ai.exceptions import NotFound
from ai.models import Notification
from ai.models.notifications import Email, Kind
from ai.services.notifications import choices, mailing, places, reading
from ai.services.notifications.choices import Choice

ICONS = {
    "mention": "alternate_email",
    "reply": "reply",
    "assigned": "assignment_ind",
    "review": "rate_review",
    "job": "pending_actions",
    "snooze": "snooze",
    "webhook": "webhook",
}


@admin.register(Notification)
class NotificationAdmin(ReadAdmin):
    """Each person sees their own, and of the tenants they work for only."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Staff who may do anything here."""
        return reading.is_reader(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Staff who may do anything here; of the rows, their own."""
        return reading.is_reader(request.user) and (obj is None or obj.user_id == str(request.user.pk))

    def get_queryset(self, request: HttpRequest) -> Any:
        """The person's own."""
        return super().get_queryset(request).filter(user_id=str(request.user.pk), in_console=True)

    # -- The list
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The unread ones first, 50 on a page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        number = request.GET.get("p", "1")
        is_number = number.isascii() and number.isdigit() and len(number) < 10
        found = reading.listing(request.user, number=int(number) if is_number else 1)
        names = tenant_names(request) if sees_several_tenants(request) else {}
        context = {
            "lines": [
                {
                    "row": row,
                    "icon": ICONS.get(row.kind, "notifications"),
                    "leads": bool(places.path_of(row)),
                    "tenant": names.get(row.tenant_id, ""),  # type: ignore[arg-type]
                }
                for row in found.rows
            ],
            "has_unread": any(not row.is_read for row in found.rows),
            "number": found.number,
            "has_next": found.has_next,
            "choices_url": badges.url("ai_notification_choices"),
            "read_url": badges.url("ai_notification_read"),
        }
        return self.page(request, "admin/ai/notification/list.html", "Notifications", **context)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """What it is about; looking at it does not mark it as read."""
        if object_id is None or request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        row = self.get_object_or_404(request, object_id)
        return HttpResponseRedirect(places.path_of(row) or badges.url("ai_notification_changelist"))

    # -- Further pages
    def extra_urls(self) -> Iterable[tuple[str, str, Callable[..., HttpResponse]]]:
        """Marking as read, opening, and what somebody wants to be told of."""
        return [
            ("read/", "read", self.read_view),
            ("choices/", "choices", self.choices_view),
            ("<uuid:object_id>/open/", "open", self.open_view),
        ]

    def read_view(self, request: HttpRequest) -> HttpResponse:
        """Mark one, or all, as read."""
        self._only_post(request)
        one, back = request.POST.get("one", ""), badges.url("ai_notification_changelist")

        def act() -> tuple[str, str]:
            keys = [ids.parse(one)] if one else None
            count = reading.mark_read(keys, by=request.user, at=timezone.now())
            return "" if one else f"{count} marked as read.", back

        return answer(request, back, act)

    def open_view(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Mark one as read, and go to what it is about."""
        self._only_post(request)
        try:
            row = reading.one(object_id, user=request.user)
        except NotFound as error:
            raise Http404(error.message) from error
        reading.mark_read([row.pk], by=request.user, at=timezone.now())
        return HttpResponseRedirect(places.path_of(row) or badges.url("ai_notification_changelist"))

    def choices_view(self, request: HttpRequest) -> HttpResponse:
        """Where the person wants to be told of what."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        back = badges.url("ai_notification_choices")
        if request.method == "POST":

            def act() -> tuple[str, str]:
                wanted = {kind: _wanted(request, kind) for kind in Kind.values}
                choices.choose(wanted, by=request.user, at=timezone.now())
                return "Saved.", back

            return answer(request, back, act)
        mine = choices.mine(request.user)
        user: Any = request.user
        context = {
            "kinds": [(kind, label, ICONS[kind], mine[kind]) for kind, label in Kind.choices],
            "times": Email.choices,
            "can_mail": choices.can_mail(),
            "address": getattr(user, "email", ""),
            "sender": mailing.sender(),
            "hour": choices.next_digest(timezone.now()),
            "back": badges.url("ai_notification_changelist"),
        }
        return self.page(request, "admin/ai/notification/choices.html", "What you are told of", **context)

    def _only_post(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            raise Http404("This address takes forms only.")


def _wanted(request: HttpRequest, kind: str) -> Choice:
    """What the form says of a kind. Without e-mail the form does not ask for it, and what was chosen stays."""
    said = request.POST
    email = said.get(f"email-{kind}") or choices.mine(request.user)[kind].email
    return Choice(in_console=said.get(f"console-{kind}") == "yes", email=email)
