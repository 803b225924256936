"""The form of a remote connection; its key goes in and never comes out."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from unfold import widgets

from ai import tenancy
from ai.exceptions import InvalidInput
from ai.models import RemoteConnection
from ai.services import connections


class RemoteConnectionForm(forms.ModelForm):  # type: ignore[type-arg]
    """A server and the key to it."""

    api_key = forms.CharField(
        label="API key",
        required=False,
        strip=True,
        max_length=4000,
        widget=widgets.UnfoldAdminPasswordWidget(
            render_value=False,
            attrs={"autocomplete": "new-password", "placeholder": "Leave empty to keep what there is"},
        ),
        help_text="Stored encrypted and never shown again.",
    )
    forget_key = forms.BooleanField(
        label="Forget the stored key", required=False, widget=widgets.UnfoldBooleanSwitchWidget
    )

    class Meta:
        model = RemoteConnection
        fields = (
            "name",
            "base_url",
            "organization",
            "project",
            "api_version",
            "makes",
            "concurrency",
            "is_default",
            "is_enabled",
        )

    def tenant_id(self) -> UUID:
        """Whose connection it is: the row's, the chosen tenant, or the only one."""
        chosen = self.cleaned_data.get("tenant")
        known = self.instance.tenant_id or (UUID(chosen) if chosen else None)
        return known or tenancy.get_current_tenant_id()

    def clean(self) -> dict[str, Any]:
        """What the service would refuse is refused beside the field."""
        values: dict[str, Any] = super().clean() or {}
        try:
            connections.check(RemoteConnection(base_url=values.get("base_url") or ""))
        except InvalidInput as error:
            self.add_error("base_url", error.message)
        name = values.get("name")
        if not name or ("tenant" in self.fields and not values.get("tenant")):
            return values
        others = RemoteConnection.objects.filter(tenant_id=self.tenant_id(), name=name).exclude(pk=self.instance.pk)
        if others.exists():
            self.add_error("name", "The tenant has a connection of this name already.")
        return values

    def validate_constraints(self) -> None:
        """The tenant is known to the service only, which enforces them."""

    def key(self) -> str | None:
        """What the service does with the key: None keeps it, an empty text forgets it."""
        if self.cleaned_data.get("api_key"):
            return str(self.cleaned_data["api_key"])
        return "" if self.cleaned_data.get("forget_key") else None
