"""The pages of imports: upload, preview, and the problems of one."""

from __future__ import annotations

import csv
import io
from tempfile import TemporaryFile
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from unfold import widgets

from ai import tenancy
from ai.admin.parts import badges, downloads
from ai.admin.parts.base import answer
from ai.admin.parts.forms import tenant_field
from ai.exceptions import AIError, Forbidden, NotFound
from ai.services.imports import background, columns, formats, previews, uploads
from ai.services.imports.columns import Columns
from ai.services.imports.previews import Preview
from ai.services.imports.uploads import Upload
from ai.services.tables import guard

#: How the form calls its field for a column of the file.
COLUMN = "as:"
PROBLEM_COLUMNS = ("place", "kind", "id", "problem")


class ImportForm(forms.Form):
    """The file, its format, and whose conversations they are."""

    file = forms.FileField(
        label="File",
        widget=widgets.UnfoldAdminFileFieldWidget,
        help_text="JSON, JSON lines, CSV, each also compressed by gzip, or a zip as the other system gave it.",
    )
    format = forms.ChoiceField(
        label="Format",
        choices=[
            (formats.AUTO, "Find out from the content"),
            *((each.name, each.label) for each in formats.FORMATS.values()),
        ],
        widget=widgets.UnfoldAdminSelectWidget,
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if field := tenant_field(request):
            self.fields["tenant"] = field

    def tenant_id(self) -> UUID:
        """The chosen tenant, or the only one."""
        chosen = self.cleaned_data.get("tenant")
        return UUID(chosen) if chosen else tenancy.get_current_tenant_id()


def _require(admin: Any, request: HttpRequest) -> None:
    if not admin.has_import_permission(request):
        raise PermissionDenied


def upload(admin: Any, request: HttpRequest) -> HttpResponse:
    """Take a file and say where its preview is."""
    _require(admin, request)
    form = ImportForm(request.POST or None, request.FILES or None, request=request)
    back = badges.url("ai_chatthread_changelist")
    if request.method != "POST" or not form.is_valid():
        known = formats.FORMATS.values()
        page: HttpResponse = admin.page(
            request, "admin/ai/import/upload.html", "Import threads", form=form, back=back, formats=known
        )
        return page

    def act() -> tuple[str, str]:
        kept = uploads.receive(
            file=form.cleaned_data["file"], tenant_id=form.tenant_id(), by=request.user, at=timezone.now()
        )
        query = {"upload": kept.token(), "format": form.cleaned_data["format"]}
        return "", reverse("admin:ai_chatthread_import_preview", query=query)

    return answer(request, badges.url("ai_chatthread_import"), act)


def preview(admin: Any, request: HttpRequest) -> HttpResponse:
    """What an import would do; posted, it begins."""
    _require(admin, request)
    back = badges.url("ai_chatthread_import")
    given = request.POST if request.method == "POST" else request.GET
    token, chosen, read_as = given.get("upload", ""), given.get("format", formats.AUTO), _read_as(given)
    if request.method == "POST":
        return answer(request, back, lambda: _start(request, token, chosen, read_as))
    try:
        kept = Upload.of(token, by=request.user)
    except NotFound as error:
        gone: HttpResponse = admin.page(
            request, "admin/ai/import/preview.html", "Preview of the import", error=error.message, back=back
        )
        gone.status_code = 404
        return gone
    context: dict[str, Any] = {"upload": kept, "size": badges.size(kept.bytes), "token": token, "back": back}
    try:
        found = previews.preview(upload=kept, format_=chosen, by=request.user, at=timezone.now(), read_as=read_as)
    except AIError as error:
        context["error"] = error.message
    else:
        context |= {"preview": found, "format": found.format, "columns": _columns(found), "prefix": COLUMN}
    others = [each for each in formats.FORMATS.values() if each != context.get("format")]
    page: HttpResponse = admin.page(
        request, "admin/ai/import/preview.html", "Preview of the import", others=others, **context
    )
    return page


def _read_as(given: QueryDict) -> Columns:
    """What the columns of the file are: a field of the form for each."""
    return {name.removeprefix(COLUMN): str(field) for name, field in given.items() if name.startswith(COLUMN)}


def _columns(found: Preview) -> list[dict[str, Any]]:
    """The columns of the file, each with what it may be."""
    others = [(field, field) for field in columns.FIELDS if field not in columns.MAIN]
    return [
        {
            "column": each,
            "main": [(field, words, field == each.field) for field, words in columns.MAIN.items()],
            "others": [(field, words, field == each.field) for field, words in others],
        }
        for each in found.columns
    ]


def _start(request: HttpRequest, token: str, chosen: str, read_as: Columns) -> tuple[str, str]:
    job = background.request(
        upload=Upload.of(token, by=request.user),
        format_=chosen,
        by=request.user,
        at=timezone.now(),
        read_as=read_as,
    )
    return "", badges.url("ai_job_change", job.pk)


def problems(request: HttpRequest, object_id: UUID) -> HttpResponseBase:
    """What was refused, as a CSV file that no spreadsheet computes anything in."""
    if request.method not in ("GET", "HEAD"):
        raise PermissionDenied
    try:
        job, rows = background.problems(job_id=object_id, by=request.user)
    except Forbidden as error:
        raise PermissionDenied(error.message) from error
    except NotFound as error:
        raise Http404(error.message) from error
    content: Any = TemporaryFile()  # noqa: SIM115 - the response closes it
    text = io.TextIOWrapper(content, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(PROBLEM_COLUMNS)
    for row in rows.iterator(chunk_size=1000):
        cells = (row.data.get("place", ""), row.data.get("kind", ""), row.object_id, row.error)
        writer.writerow([guard(cell) for cell in cells])
    text.detach()
    content.seek(0)
    return downloads.attachment(request, content, name=f"problems-{job.pk.hex[:8]}.csv", content_type="text/csv")
