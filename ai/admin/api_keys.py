"""API keys: the list, making one, and revoking one. A key's text is on one answer, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display

from ai.admin.parts import badges
from ai.admin.parts.base import ReadAdmin, answer
from ai.admin.parts.filters import DateFilter, TenantFilter
from ai.admin.parts.key_form import ApiKeyForm
from ai.exceptions import AIError, Forbidden, NotFound
from ai.models import ApiKey
from ai.models.api_keys import SCOPES
from ai.services import api_keys

STATES = {"active": ("Active", "green"), "expired": ("Expired", "orange"), "revoked": ("Revoked", "gray")}
SCOPE_TONES = {"read": "blue", "write": "violet", "admin": "orange", "feedback": "green", "reviews": "green"}

#: Where the HTTP API answers in a project that has it elsewhere than in this process.
USUAL_PATH = "/v1"


def state_of(row: ApiKey, at: datetime) -> str:
    """ "active", "expired" or "revoked"."""
    if row.revoked_at is not None:
        return "revoked"
    return "active" if row.is_usable(at) else "expired"


class StateFilter(DropdownFilter):
    """Keys that work, and keys that no longer do."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The states."""
        return [(value, label) for value, (label, _) in STATES.items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The keys in that state now."""
        over = Q(expires_at__isnull=False, expires_at__lte=timezone.now())
        wanted = {
            "active": Q(revoked_at__isnull=True) & ~over,
            "expired": Q(revoked_at__isnull=True) & over,
            "revoked": Q(revoked_at__isnull=False),
        }
        chosen = self.value()
        return queryset.filter(wanted[chosen]) if chosen in wanted else queryset


@admin.register(ApiKey)
class ApiKeyAdmin(ReadAdmin):
    """Keys are made and revoked, never edited: their digest is stored, and never shown either."""

    list_display = ("title", "allows", "limit", "used", "expires", "state")
    list_display_links = ("title",)
    list_filter = (StateFilter, TenantFilter, ("created", DateFilter))
    list_defer = ("digest",)
    search_fields = ("name", "prefix")
    search_help_text = "A name, how the key begins, or an ID"
    page_template = "admin/ai/apikey/page.html"
    empty_title = "No API keys yet"
    empty_text = "A program needs a key to use the HTTP API. Add one, and give it to the OpenAI client as its api_key."

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """`ai.add_apikey`."""
        return self.may(request, "add")

    def has_revoke_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """`ai.revoke_apikey`."""
        return self.may(request, "revoke")

    @display(description="Name")
    def title(self, row: ApiKey) -> SafeString:
        """Which program uses it, and as much of it as tells keys apart."""
        name = badges.clip(row.name or "Unnamed key", 40)
        return format_html('{} <span class="ai-mono ai-muted ai-nowrap">{}…</span>', name, row.prefix)

    @display(description="Allows")
    def allows(self, row: ApiKey) -> SafeString:
        """Its scopes."""
        return scope_badges(row)

    @display(description="Per minute")
    def limit(self, row: ApiKey) -> SafeString:
        """How many requests."""
        return badges.number(row.requests_per_minute) if row.requests_per_minute else badges.NONE

    @display(description="Last used")
    def used(self, row: ApiKey) -> SafeString:
        """When, within a minute."""
        return badges.when(row.last_used_at)

    @display(description="Expires")
    def expires(self, row: ApiKey) -> SafeString:
        """When."""
        return badges.when(row.expires_at)

    @display(description="State")
    def state(self, row: ApiKey) -> SafeString:
        """Whether it works."""
        return state_badge(row)

    # -- The pages
    def page_context(self, request: HttpRequest, row: ApiKey) -> dict[str, Any]:
        """The key, apart from the key itself."""
        may_revoke = row.revoked_at is None and self.has_revoke_permission(request)
        return {
            "subtitle": row.name or "Unnamed key",
            "state_badge": state_badge(row),
            "scopes": scope_badges(row),
            "base_url": base_url(request),
            "revoke_url": badges.url("ai_apikey_revoke", row.pk) if may_revoke else "",
            "audit_url": badges.url("ai_auditentry_changelist", q=str(row.pk))
            if request.user.has_perm("ai.view_auditentry")
            else "",
        }

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The key's page, or the form that makes one."""
        if object_id is not None:
            return super().changeform_view(request, object_id, form_url, extra_context)
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ApiKeyForm(request.POST if request.method == "POST" else None, request=request)
        if request.method == "POST" and form.is_valid():
            try:
                return self._make(request, form)
            except Forbidden as error:
                raise PermissionDenied(error.message) from error
            except NotFound as error:
                raise Http404(error.message) from error
            except AIError as error:
                form.add_error(None, error.message)
        back = badges.url("ai_apikey_changelist")
        return self.page(request, "admin/ai/apikey/form.html", "Add an API key", form=form, back=back)

    def _make(self, request: HttpRequest, form: ApiKeyForm) -> HttpResponse:
        """The one answer with the key's text. Nothing keeps it: no session, no message, no log, no cache."""
        row, plain = api_keys.make(**form.arguments(), by=request.user, at=timezone.now())
        return self.made_page(request, "Your new API key", row, plain, base_url=base_url(request))

    # -- Revoking
    def extra_urls(self) -> Iterable[tuple[str, str, Callable[..., HttpResponse]]]:
        """The dialog that revokes."""
        return [("<uuid:object_id>/revoke/", "revoke", self.revoke_view)]

    def revoke_view(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Ask, then revoke."""
        row = self.get_object_or_404(request, str(object_id))
        if not self.has_revoke_permission(request):
            raise PermissionDenied
        back = badges.url("ai_apikey_change", row.pk)
        if request.method != "POST":
            text = f"Requests with “{row.name or row.prefix}” are refused from now on. This cannot be undone."
            return self.confirm(
                request, title="Revoke this key?", text=text, button="Revoke the key", back=back, danger=True
            )

        def act() -> tuple[str, str]:
            api_keys.revoke(key_id=row.pk, by=request.user, at=timezone.now())
            return "The key is revoked.", back

        return answer(request, back, act)


def state_badge(row: ApiKey) -> SafeString:
    """Whether the key works."""
    return badges.badge(*STATES[state_of(row, timezone.now())])


def scope_badges(row: ApiKey) -> SafeString:
    """The key's scopes."""
    scopes = [str(scope) for scope in row.scopes] if isinstance(row.scopes, list) else []
    if set(SCOPES) <= set(scopes):
        return badges.badge("everything", "violet", title=", ".join(scopes))
    return format_html_join(" ", "{}", ((badges.badge(scope, SCOPE_TONES.get(scope, "gray")),) for scope in scopes))


def base_url(request: HttpRequest) -> str:
    """What clients take as `base_url`, as this request sees it."""
    try:
        path = reverse("v1:api-root")
    except NoReverseMatch:
        path = USUAL_PATH
    return request.build_absolute_uri(path.rstrip("/"))
