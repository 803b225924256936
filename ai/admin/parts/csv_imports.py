"""CSV files with a preview on the pages of a list: django-import-export's two steps in Unfold's forms."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from import_export.admin import ImportMixin
from import_export.forms import ConfirmImportForm
from unfold.contrib.import_export.forms import ImportForm

from ai import tenancy
from ai.admin.parts.forms import tenant_field
from ai.admin.parts.lists import Button
from ai.resources.cells import MOST_BYTES, CsvFile

#: So many rows are shown before the import; all of them are tried.
MOST_SHOWN = 100


class CsvForm(ImportForm):
    """A file, and whose rows it brings where there is a choice."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = tenant_field(request, required=False)
        if field:
            field.help_text = "Whose new rows are, where the file has no tenant_id."
            self.fields["tenant"] = field

    def clean_import_file(self) -> Any:
        """A file that fits into memory several times."""
        file = self.cleaned_data["import_file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError(f"The file has more than {MOST_BYTES // 1024**2} MB: cut it into several.")
        return file


class ConfirmForm(ConfirmImportForm):
    """What the first step was told."""

    tenant = forms.CharField(widget=forms.HiddenInput, required=False)


class CsvImport(ImportMixin):
    """Goes before the page's class; `ai.resources.listed` says how its rows are read. `csv_about` is said above the form."""

    formats = (CsvFile,)
    import_form_class = CsvForm
    confirm_form_class = ConfirmForm
    import_template_name = "admin/ai/csv/import.html"
    skip_admin_log = True
    csv_about = ""
    model: Any
    admin_site: Any

    def init_change_list_template(self) -> None:
        """Leave the list's template as it is: the button is one of `list_buttons`."""
        self.ie_base_change_list_template = "admin/change_list.html"

    def get_urls(self) -> list[Any]:
        """Both steps, under names that no other import has."""
        name = f"ai_{self.model._meta.model_name}"
        view = self.admin_site.admin_view
        return [
            path("import-csv/", view(self.import_action), name=f"{name}_import_csv"),
            path("import-csv/confirm/", view(self.process_import), name=f"{name}_process_import"),
            *super(ImportMixin, self).get_urls(),
        ]

    def list_buttons(self, request: HttpRequest, changelist: Any) -> list[Button]:
        """Also the way to the import."""
        found: list[Button] = super().list_buttons(request, changelist)
        if not self.has_import_permission(request):
            return found
        url = reverse(f"admin:ai_{self.model._meta.model_name}_import_csv")
        return [*found, Button("Import CSV…", url, "upload")]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The list, as it is without imports."""
        response: HttpResponse = super(ImportMixin, self).changelist_view(request, extra_context)
        return response

    # -- The steps

    def import_action(self, request: HttpRequest, **kwargs: Any) -> Any:
        """The form, then what would be imported."""
        self._require(request)
        response = super().import_action(request, **kwargs)
        result = response.context_data.get("result")
        if result is not None:
            response.context_data |= {"row_count": len(result.rows), "most_shown": MOST_SHOWN, "totals": result.totals}
            result.rows = result.rows[:MOST_SHOWN]
        response.context_data |= {"about": self.csv_about, "notes": getattr(result, "notes", [])}
        response.context_data["title"] = f"Import {str(self.opts.verbose_name_plural).lower()} from CSV"
        return response

    def process_import(self, request: HttpRequest, **kwargs: Any) -> Any:
        """The import itself."""
        self._require(request)
        return super().process_import(request, **kwargs)

    def _require(self, request: HttpRequest) -> None:
        if not (self.has_import_permission(request) and self.has_view_permission(request)):
            raise PermissionDenied

    def process_result(self, result: Any, request: HttpRequest) -> HttpResponse:
        """What came of it; nothing where anything is wrong by now."""
        if result.has_errors() or result.has_validation_errors():
            messages.error(request, "Something has changed since the preview: nothing was imported. Try again.")
            return HttpResponseRedirect(reverse(f"admin:ai_{self.model._meta.model_name}_import_csv"))
        for note in getattr(result, "notes", []):
            messages.warning(request, note)
        response: HttpResponse = super().process_result(result, request)
        return response

    # -- What the library asks for

    def get_import_resource_classes(self, request: HttpRequest) -> list[Any]:
        """The one that is listed."""
        from ai.resources.listed import RESOURCES  # noqa: PLC0415 - a resource for each table, for the pages of imports only

        return [RESOURCES[self.model]]

    def get_import_form_kwargs(self, request: HttpRequest) -> dict[str, Any]:
        """The form knows who asks."""
        return {**super().get_import_form_kwargs(request), "request": request}

    def get_confirm_form_initial(self, request: HttpRequest, import_form: Any) -> dict[str, Any]:
        """Also the tenant."""
        initial: dict[str, Any] = super().get_confirm_form_initial(request, import_form)
        return {**initial, "tenant": import_form.cleaned_data.get("tenant", "")} if import_form else initial

    def get_import_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """The tenant of new rows."""
        chosen = getattr(kwargs.get("form"), "cleaned_data", {}).get("tenant")
        return {"tenant_id": _tenant(chosen)}

    def get_import_data_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        """All of it, or nothing."""
        return {**super().get_import_data_kwargs(**kwargs), "rollback_on_validation_errors": True}


def _tenant(chosen: Any) -> UUID | None:
    """The tenant chosen, if it is in scope."""
    try:
        key = UUID(str(chosen)) if chosen else None
    except ValueError:
        raise PermissionDenied from None
    if key is not None and not tenancy.current().allows(key):
        raise PermissionDenied
    return key
