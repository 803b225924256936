"""The form of a webhook."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django import forms
from unfold import widgets

from ai import tenancy
from ai.exceptions import InvalidInput
from ai.models import Webhook
from ai.remote import posting
from ai.services.webhooks import events

PAUSED_MEANWHILE = "The webhook was paused or made active meanwhile. It stays so unless you save once more."


class WebhookForm(forms.ModelForm):  # type: ignore[type-arg]
    """Where to post, and what."""

    events = forms.MultipleChoiceField(
        label="Events",
        choices=[(name, f"{name} — {words}") for name, words in events.TYPES.items()],
        widget=widgets.UnfoldAdminCheckboxSelectMultipleWidget,
    )
    #: When it was paused, as whoever sends the form has seen it.
    seen_paused = forms.CharField(required=False, widget=forms.HiddenInput)
    #: Why the service did not take what was sent; said above the form.
    refused: ClassVar[str] = ""

    class Meta:
        model = Webhook
        fields = ("name", "url", "events", "with_text", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["seen_paused"].initial = self._paused()

    def _paused(self) -> str:
        return self.instance.paused_at.isoformat() if self.instance.paused_at else ""

    def clean_url(self) -> str:
        """What the service would refuse is refused beside the field."""
        url = str(self.cleaned_data["url"]).strip()
        try:
            return posting.check(url)
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from error

    def clean(self) -> dict[str, Any]:
        """A tenant's webhooks have names of their own; one that was paused meanwhile is not made active unknowingly."""
        values: dict[str, Any] = super().clean() or {}
        if self.refused:
            self.add_error(None, self.refused)
        if values.get("seen_paused", "") != self._paused():
            self.add_error(None, PAUSED_MEANWHILE)
            self._show_as_it_is()
        name = values.get("name")
        if not name or ("tenant" in self.fields and not values.get("tenant")):
            return values
        others = Webhook.objects.filter(tenant_id=self.tenant_id(), name=name).exclude(pk=self.instance.pk)
        if others.exists():
            self.add_error("name", "The tenant has a webhook of this name already.")
        return values

    def _show_as_it_is(self) -> None:
        """Whoever saves the form that is shown now has seen how the webhook stands."""
        sent: Any = self.data
        shown = sent.copy()
        shown["seen_paused"] = self._paused()
        shown.pop("is_active", None)
        if self.instance.is_active:
            shown["is_active"] = "on"
        self.data = shown

    def tenant_id(self) -> UUID:
        """Whose it is: the row's, the chosen tenant, or the only one."""
        chosen = self.cleaned_data.get("tenant")
        known = self.instance.tenant_id or (UUID(chosen) if chosen else None)
        return known or tenancy.get_current_tenant_id()

    def validate_constraints(self) -> None:
        """The tenant is known to the service only, which enforces them."""
