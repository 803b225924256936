"""Forms of vector stores: making one, and adding files to one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest
from unfold import widgets

from ai import tenancy
from ai.admin.parts.forms import tenant_field

MOST_ADDED = 500


class VectorStoreForm(forms.Form):
    """A new, empty vector store."""

    name = forms.CharField(max_length=256, widget=widgets.UnfoldAdminTextInputWidget(attrs={"autofocus": True}))
    description = forms.CharField(max_length=512, required=False, widget=widgets.UnfoldAdminTextInputWidget)
    days = forms.IntegerField(
        label="Days",
        min_value=1,
        max_value=365,
        required=False,
        widget=widgets.UnfoldAdminIntegerFieldWidget,
        help_text="It expires so many days after it was last used. Empty: never.",
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = tenant_field(request)
        if field:
            field.initial = request.GET.get("tenant", "")
            self.fields = {"tenant": field, **self.fields}

    def arguments(self) -> dict[str, Any]:
        """What `services.vector_stores.create` takes."""
        values = self.cleaned_data
        days = values["days"]
        return {
            "tenant_id": UUID(values["tenant"]) if values.get("tenant") else tenancy.get_current_tenant_id(),
            "name": values["name"],
            "description": values["description"] or None,
            "expires_after": {"anchor": "last_active_at", "days": days} if days else None,
        }


class AddFilesForm(forms.Form):
    """A file to upload, or files that are here already."""

    file = forms.FileField(label="Upload a file", required=False, widget=widgets.UnfoldAdminFileFieldWidget)
    file_ids = forms.CharField(
        label="Or files that are here",
        required=False,
        widget=widgets.UnfoldAdminTextInputWidget(attrs={"placeholder": "file-…, file-…", "spellcheck": "false"}),
        help_text="IDs, separated by commas or spaces.",
    )

    def clean_file_ids(self) -> list[str]:
        """The ids, each once."""
        found = list(dict.fromkeys(str(self.cleaned_data.get("file_ids") or "").replace(",", " ").split()))
        if len(found) > MOST_ADDED:
            raise forms.ValidationError(f"At most {MOST_ADDED} files at once.")
        return found

    def clean(self) -> dict[str, Any]:
        """One or the other."""
        values: dict[str, Any] = super().clean() or {}
        if not self.errors and not values.get("file") and not values.get("file_ids"):
            raise forms.ValidationError("Choose a file to upload, or name files that are here.")
        return values
