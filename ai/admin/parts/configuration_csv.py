"""CSV files of a console's set-up on the pages of its lists: the import with a preview, and the export of all that is in scope."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path, reverse
from django.utils import timezone

from ai.admin.parts import downloads
from ai.admin.parts.csv_imports import CsvForm, CsvImport
from ai.admin.parts.lists import Button
from ai.exceptions import Forbidden
from ai.services import configuration


class InstallationForm(CsvForm):
    """A file of what belongs to no tenant."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.pop("tenant", None)


class ConfigurationCsv(CsvImport):
    """Goes before the page's class."""

    def has_import_permission(self, request: HttpRequest) -> bool:
        """`ai.import_<model>`, and those for what an import does: adding and changing."""
        page: Any = self
        return all(page.may(request, verb) for verb in ("import", "add", "change"))

    def list_buttons(self, request: HttpRequest, changelist: Any) -> list[Button]:
        """Also the way to the export."""
        found = super().list_buttons(request, changelist)
        page: Any = self
        if not page.has_export_permission(request) or not changelist.result_list:
            return found
        return [*found, Button("Export CSV…", reverse(f"admin:ai_{self.model._meta.model_name}_export"), "download")]

    def get_urls(self) -> list[Any]:
        """The export's page, before the others."""
        name = f"ai_{self.model._meta.model_name}_export"
        return [path("export/", self.admin_site.admin_view(self.export_view), name=name), *super().get_urls()]

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Ask; then send the file."""
        page: Any = self
        if not (page.has_export_permission(request) and page.has_view_permission(request)):
            raise PermissionDenied
        plural = str(page.opts.verbose_name_plural).lower()
        if request.method != "POST":
            said = (
                f"All {plural} that you can see, as a CSV file.",
                self.csv_about,
                "The audit log says who exported them.",
            )
            text = " ".join(filter(None, said))
            back = reverse(f"admin:ai_{self.model._meta.model_name}_changelist")
            response: HttpResponseBase = page.confirm(
                request, title=f"Export {plural}?", text=text, button="Export CSV", back=back
            )
            return response
        try:
            made = configuration.export(self.model, by=request.user, at=timezone.now())
        except Forbidden as error:
            raise PermissionDenied(error.message) from error
        return downloads.attachment(request, made.content, name=made.name, content_type="text/csv; charset=utf-8")
