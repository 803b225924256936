"""The form that makes an API key."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest
from django.utils import timezone
from unfold import widgets

from ai import tenancy
from ai.admin.parts.forms import tenant_field
from ai.models.api_keys import USUAL

SCOPES = (
    ("read", "Read: view, download and search everything of the tenant"),
    ("write", "Write: threads, messages, runs, files and vector stores too"),
    ("admin", "Admin: assistants too"),
    ("feedback", "Feedback: give it and triage it, and nothing else"),
    ("reviews", "Reviews: make and fill queues, and take answers out. Not for keys that reviewers have"),
)


class ApiKeyForm(forms.Form):
    """What a new key is called, and what it may do."""

    name = forms.CharField(
        max_length=255,
        widget=widgets.UnfoldAdminTextInputWidget(attrs={"placeholder": "Web shop, production", "autofocus": True}),
        help_text="Which program will use it. Audit entries name it.",
    )
    scopes = forms.MultipleChoiceField(
        choices=SCOPES,
        initial=list(USUAL),
        widget=widgets.UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Write and admin allow what those above them allow. A key sees nothing of other tenants.",
    )
    requests_per_minute = forms.IntegerField(
        label="Requests per minute",
        min_value=1,
        max_value=1_000_000,
        required=False,
        widget=widgets.UnfoldAdminIntegerFieldWidget,
        help_text="More are answered with 429. Empty: as many as come.",
    )
    expires_on = forms.DateField(
        label="Last day",
        required=False,
        widget=widgets.UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text="The key expires when this day is over. Empty: never.",
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = tenant_field(request)
        if field:
            field.initial = request.GET.get("tenant", "")
            self.fields = {"tenant": field, **self.fields}

    def clean_expires_on(self) -> Any:
        """A day that is not over."""
        day = self.cleaned_data.get("expires_on")
        if day is not None and _end_of(day) <= timezone.now():
            raise forms.ValidationError("This day is over. A key expires in the future.")
        return day

    def arguments(self) -> dict[str, Any]:
        """What `services.api_keys.make` takes."""
        values = self.cleaned_data
        chosen = values.get("tenant")
        return {
            "tenant_id": UUID(chosen) if chosen else tenancy.get_current_tenant_id(),
            "name": values["name"],
            "scopes": values["scopes"],
            "requests_per_minute": values["requests_per_minute"],
            "expires_at": _end_of(values["expires_on"]) if values["expires_on"] else None,
        }


def _end_of(day: Any) -> datetime:
    """The midnight after the day, in the reader's zone."""
    return timezone.make_aware(datetime.combine(day + timedelta(days=1), time()))
