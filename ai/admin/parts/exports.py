"""Exporting what a list shows, or what was ticked on it: the page that asks for a format, and the file or the job that follows."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import path, reverse
from django.utils import timezone
from unfold.decorators import action

from ai import ids
from ai.admin.parts import downloads
from ai.admin.parts.base import pks_of
from ai.admin.parts.lists import Button
from ai.exceptions import AIError, InvalidInput, NotFound
from ai.models import Job
from ai.services.exports import asking, formats
from ai.services.selections import APPEARANCE, Selection

#: Ticked rows are in the address of the page; a list has half as many.
MOST_TICKED = 100


class Exports:
    """Goes before the page's class. `noun` is what its rows are called among selections, `shown` on the page that asks."""

    noun = ""
    shown = ""
    actions: Any = ("export_selected",)
    model: Any
    admin_site: Any

    @action(description="Export…", permissions=["export"])
    def export_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        """Ask for the format of the ticked rows."""
        return HttpResponseRedirect(
            self.export_url(ids=",".join(key.hex for key in pks_of(queryset, most=MOST_TICKED)))
        )

    def export_url(self, **query: str) -> str:
        """The page that asks."""
        return reverse(f"admin:ai_{self.model._meta.model_name}_export", query=query or None)

    def list_buttons(self, request: HttpRequest, changelist: Any) -> list[Button]:
        """Also the way to the export of all that the list shows."""
        found: list[Button] = super().list_buttons(request, changelist)  # type: ignore[misc]
        if not self.has_export_permission(request) or not changelist.result_list:  # type: ignore[attr-defined]
            return found
        query = {name: str(value) for name, value in request.GET.items() if name not in APPEARANCE - {"q"}}
        these = "these results" if query else "all"
        if not changelist.multi_page:
            these = f"{'these' if query else 'all'} {changelist.result_count:,}"
        return [*found, Button(f"Export {these}…", self.export_url(**query), "download")]

    def get_urls(self) -> list[Any]:
        """The page that asks, before the others."""
        name = f"ai_{self.model._meta.model_name}_export"
        return [path("export/", self.admin_site.admin_view(self.export_view), name=name), *super().get_urls()]  # type: ignore[misc]

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Ask for a format; then send the file, or lead to the job that makes it."""
        page: Any = self
        if not (page.has_export_permission(request) and page.has_view_permission(request)):
            raise PermissionDenied
        try:
            selection = _selection(self.noun, request)
            if request.method == "POST":
                return self._export(request, selection)
        except (InvalidInput, NotFound) as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(reverse(f"admin:ai_{self.model._meta.model_name}_changelist"))
        return self._ask(request, selection)

    def _ask(self, request: HttpRequest, selection: Selection) -> HttpResponse:
        weight = asking.weigh(selection)
        count = weight.rows
        if selection.ids is not None and not count:
            raise Http404("None of these exists here; they may have been deleted, or belong to another tenant.")
        known = formats.of(self.noun)
        page: Any = self
        response: HttpResponse = page.page(
            request,
            "admin/ai/export/ask.html",
            f"Export {self.shown or self.noun}",
            said=selection.describe(),
            count=min(count, asking.MOST_COUNTED),
            is_more=count > asking.MOST_COUNTED,
            noun=self.noun,
            formats=[(found, "" if weight.is_light(self.noun, found) else "job") for found in known],
            chosen=_proposed(self.noun, count),
            back=_back(request, self.model._meta.model_name, selection),
        )
        return response

    def _export(self, request: HttpRequest, selection: Selection) -> HttpResponseBase:
        user: Any = request.user
        try:
            made = asking.start(
                selection=selection, format_name=request.POST.get("format", ""), by=user, at=timezone.now()
            )
        except AIError as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(request.get_full_path())
        if not isinstance(made, Job):
            return downloads.attachment(request, made.content, name=made.name, content_type=made.content_type)
        if user.has_perm("ai.view_job"):
            return HttpResponseRedirect(reverse("admin:ai_job_change", args=[made.pk]))
        messages.success(request, "The export is being made. Whoever may see jobs finds it among them.")
        return HttpResponseRedirect(_back(request, self.model._meta.model_name, selection))


def _selection(noun: str, request: HttpRequest) -> Selection:
    """What the address names: ids, or the filters of the list."""
    if "ids" in request.GET:
        keys = [ids.parse(text) for text in request.GET["ids"].split(",")[:MOST_TICKED]]
        return Selection.of_ids(noun, keys)
    return Selection.of_list(noun, request.GET)


def _proposed(noun: str, count: int) -> str:
    """The format that is ticked: one conversation is read, many are worked with, and the log is checked."""
    if noun == "threads":
        return "transcript" if count == 1 else "jsonl"
    return "jsonl" if noun == "audit-entries" else "csv"


def _back(request: HttpRequest, model_name: str, selection: Selection) -> str:
    if selection.ids is not None and len(selection.ids) == 1:
        return reverse(f"admin:ai_{model_name}_change", args=[selection.ids[0]])
    query = selection.query()
    return reverse(f"admin:ai_{model_name}_changelist") + (f"?{query}" if query else "")
