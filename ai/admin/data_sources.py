"""Files: the list, a page with a preview, uploading, and the door to the content."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from ai.admin.parts import badges, downloads
from ai.admin.parts.base import ReadAdmin, answer
from ai.admin.parts.csv_imports import CsvImport
from ai.admin.parts.exports import Exports
from ai.admin.parts.filters import DateFilter, TenantFilter, recent_values
from ai.admin.parts.forms import UploadForm
from ai.exceptions import Forbidden, NotFound
from ai.models import DataSource
from ai.services import files, rendering, search

#: A browser's PDF reader needs a page that is not sandboxed; our own pages alone may frame it.
PDF = "application/pdf"
PDF_POLICY = "script-src 'none'; frame-ancestors 'self'"
PREVIEW_BYTES = 64 * 1024
TEXTS = ("application/json", "application/jsonl", "application/xml", "application/yaml")
ICONS = {"image/": "image", "text/": "description", "application/pdf": "picture_as_pdf", "audio/": "graphic_eq"}


def icon_of(mime_type: str) -> str:
    """The symbol for a type of file."""
    return next((icon for start, icon in ICONS.items() if mime_type.startswith(start)), "draft")


def is_text(mime_type: str) -> bool:
    """Whether a preview can show the file as text."""
    return mime_type.startswith("text/") or mime_type in TEXTS


@admin.register(DataSource)
class DataSourceAdmin(Exports, CsvImport, ReadAdmin):
    """Files are added and deleted; what they hold is never edited."""

    noun = "files"
    list_display = ("name_shown", "mime_type", "size", "purpose", "public_id", "created_at")
    list_display_links = ("name_shown",)
    list_filter = (
        recent_values("mime_type", "type"),
        recent_values("purpose", "purpose"),
        TenantFilter,
        ("created", DateFilter),
    )
    search_fields = search.WAYS[DataSource].texts
    search_help_text = "A name, or a file's ID"
    shows_content = True
    page_template = "admin/ai/datasource/page.html"
    empty_title = "No files yet"
    empty_text = "Files appear here when a message has attachments, or when you upload one."

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """`ai.add_datasource`."""
        return self.may(request, "add")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """`ai.delete_datasource`."""
        return self.may(request, "delete")

    def has_download_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """`ai.download_datasource`."""
        return self.may(request, "download")

    @display(description="Name")
    def name_shown(self, row: DataSource) -> SafeString:
        """The name that somebody gave it."""
        return badges.clip(row.name, 60)

    @display(description="Size")
    def size(self, row: DataSource) -> SafeString:
        """How big it is."""
        return badges.size(row.bytes)

    @display(description="File ID")
    def public_id(self, row: DataSource) -> SafeString:
        """How messages refer to it."""
        return badges.clip(row.file_id, 18)

    @display(description="Created")
    def created_at(self, row: DataSource) -> SafeString:
        """When it was added."""
        return badges.when(row.created)

    # -- The page
    def page_context(self, request: HttpRequest, row: DataSource) -> dict[str, Any]:
        """The file with a preview, for those who may also download it."""
        may_read = self.has_download_permission(request)
        content_url = badges.url("ai_datasource_content", row.pk) if may_read else ""
        kind = row.mime_type
        preview: Any = ""
        if may_read and is_text(kind):
            text = files.beginning(row=row, most=PREVIEW_BYTES).decode("utf-8", "replace")
            preview = rendering.code(text, kind.rpartition("/")[2] if kind == "application/json" else "")
        return {
            "subtitle": row.name,
            "icon": icon_of(kind),
            "may_read": may_read,
            "content_url": content_url,
            "image_url": f"{content_url}?inline=1" if kind in files.SHOWN_INLINE else "",
            "pdf_url": f"{content_url}?inline=1" if may_read and kind == PDF else "",
            "preview": preview,
            "is_cut": row.bytes > PREVIEW_BYTES,
            "size": badges.size(row.bytes),
            "delete_url": badges.url("ai_datasource_delete", row.pk) if self.has_delete_permission(request) else "",
        }

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The file's page, or the form that uploads one."""
        if object_id is not None:
            return super().changeform_view(request, object_id, form_url, extra_context)
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None, request=request)
        if request.method != "POST" or not form.is_valid():
            back = badges.url("ai_datasource_changelist")
            return self.page(request, "admin/ai/datasource/upload.html", "Add a file", form=form, back=back)

        def act() -> tuple[str, str]:
            given = {"file": form.cleaned_data["file"], "purpose": form.cleaned_data["purpose"]}
            row = files.add(**given, tenant_id=form.tenant_id(), by=request.user, at=timezone.now())
            return f"“{row.name}” is kept.", badges.url("ai_datasource_change", row.pk)

        return answer(request, badges.url("ai_datasource_add"), act)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Ask, then delete the row and its content."""
        row = self.get_object_or_404(request, object_id)
        if not self.has_delete_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            text = f"“{rendering.visible(row.name)}” goes for good. Messages that it is attached to will show that it is gone."
            back = badges.url("ai_datasource_change", row.pk)
            return self.confirm(
                request, title="Delete this file?", text=text, button="Delete the file", back=back, danger=True
            )

        def act() -> tuple[str, str]:
            files.delete(file_id=row.file_id, by=request.user, at=timezone.now())
            return "The file is deleted.", badges.url("ai_datasource_changelist")

        return answer(request, badges.url("ai_datasource_change", row.pk), act)

    # -- The content
    def extra_urls(self) -> Iterable[tuple[str, str, Callable[..., HttpResponseBase]]]:
        """The content's door."""
        return [("<uuid:object_id>/content/", "content", self.content_view)]

    def content_view(self, request: HttpRequest, object_id: Any) -> HttpResponseBase:
        """The content as an attachment; with `?inline=1` in place, for raster images and PDFs alone."""
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        if not self.has_download_permission(request):
            raise PermissionDenied
        found = self.get_queryset(request).filter(pk=object_id).first()
        if found is None:
            raise Http404("There is no such file here.")
        try:
            row, content = files.open_content(file_id=found.file_id, by=request.user, at=timezone.now())
        except Forbidden as error:
            raise PermissionDenied(error.message) from error
        except NotFound as error:
            raise Http404(error.message) from error
        response = _served(row, content, inline="inline" in request.GET)
        if isinstance(request, ASGIRequest):
            response.streaming_content = downloads.chunks(content)
        return response


def _served(row: DataSource, content: Any, *, inline: bool) -> FileResponse:
    """The content so that a browser can do nothing with it but keep it, or show it when it is an image or a PDF."""
    inline = inline and (row.mime_type in files.SHOWN_INLINE or row.mime_type == PDF)
    kind = row.mime_type if inline else "application/octet-stream"
    response = FileResponse(content, as_attachment=not inline, filename=row.name, content_type=kind)
    downloads.protect(response)
    if kind == PDF:
        response["Content-Security-Policy"], response["X-Frame-Options"] = PDF_POLICY, "SAMEORIGIN"
    return response
