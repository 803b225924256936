"""What answers over the network: whether a key is stored for it, and the button that tries it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from ai.admin.parts import badges
from ai.admin.parts.base import ConsoleAdmin, answer


@dataclass(frozen=True)
class Trial:
    """How a kind of thing is tried: the badge of its key, what will be done as a sentence or two, and what came of it.

    `run` raises an `AIError` that says what is wrong.
    """

    key_badge: Callable[[Any], Any]
    asks: Callable[[Any], str]
    run: Callable[[HttpRequest, Any], str]


class TestedAdmin(ConsoleAdmin):
    """A page with “Test connection”."""

    trial: Trial

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """The form, with whether there is a key, and the button that tests."""
        context: dict[str, Any] = {}
        row = self.get_object(request, object_id) if object_id else None
        if row is not None and self.has_view_permission(request, row):
            may_test = self.has_test_permission(request) and row.is_enabled
            context = {"key_badge": self.trial.key_badge(row), "is_off": not row.is_enabled}
            context["test_url"] = badges.url(self._name("test"), row.pk) if may_test else ""
        return super().changeform_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def has_test_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """`ai.test_<model>`."""
        return self.may(request, "test")

    def extra_urls(self) -> Iterable[tuple[str, str, Callable[..., HttpResponse]]]:
        """The dialog that tests."""
        return [("<uuid:object_id>/test/", "test", self.test_view)]

    def test_view(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Ask, then test."""
        row = self.get_object_or_404(request, str(object_id))
        if not self.has_test_permission(request):
            raise PermissionDenied
        back = badges.url(self._name("change"), row.pk)
        if request.method != "POST":
            title, text = "Test the connection?", self.trial.asks(row)
            return self.confirm(request, title=title, text=text, button="Test connection", back=back)
        return answer(request, back, lambda: (self.trial.run(request, row), back))

    def _name(self, page: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{page}"
