"""The form of a webhook."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from unfold import widgets

from ai import tenancy
from ai.exceptions import InvalidInput
from ai.models import Webhook
from ai.remote import posting
from ai.services.webhooks import events


class WebhookForm(forms.ModelForm):  # type: ignore[type-arg]
    """Where to post, and what."""

    events = forms.MultipleChoiceField(
        label="Events",
        choices=[(name, f"{name} — {words}") for name, words in events.TYPES.items()],
        widget=widgets.UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = Webhook
        fields = ("name", "url", "events", "with_text", "is_active")

    def clean_url(self) -> str:
        """What the service would refuse is refused beside the field."""
        url = str(self.cleaned_data["url"]).strip()
        try:
            return posting.check(url)
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from error

    def clean(self) -> dict[str, Any]:
        """A tenant's webhooks have names of their own."""
        values: dict[str, Any] = super().clean() or {}
        name = values.get("name")
        if not name or ("tenant" in self.fields and not values.get("tenant")):
            return values
        others = Webhook.objects.filter(tenant_id=self.tenant_id(), name=name).exclude(pk=self.instance.pk)
        if others.exists():
            self.add_error("name", "The tenant has a webhook of this name already.")
        return values

    def tenant_id(self) -> UUID:
        """Whose it is: the row's, the chosen tenant, or the only one."""
        chosen = self.cleaned_data.get("tenant")
        known = self.instance.tenant_id or (UUID(chosen) if chosen else None)
        return known or tenancy.get_current_tenant_id()

    def validate_constraints(self) -> None:
        """The tenant is known to the service only, which enforces them."""
