"""The form of one line of a tenant's map of models."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from unfold import widgets

from ai import tenancy
from ai.admin.parts.model_field import AliasField, problem
from ai.models import ModelRoute


class ModelRouteForm(forms.ModelForm):  # type: ignore[type-arg]
    """A name that clients ask for, and the model that answers."""

    alias = AliasField(
        label="Answered by",
        help_text="A language model of this installation, or provider:model, such as anthropic:claude-sonnet-4-5.",
    )

    class Meta:
        model = ModelRoute
        fields = ("pattern", "alias")
        widgets = {
            "pattern": widgets.UnfoldAdminTextInputWidget(attrs={"placeholder": "gpt-4o", "spellcheck": "false"})
        }

    def tenant_id(self) -> UUID:
        """Whose map it is: the row's, the chosen tenant, or the only one."""
        chosen = self.cleaned_data.get("tenant")
        known = self.instance.tenant_id or (UUID(chosen) if chosen else None)
        return known or tenancy.get_current_tenant_id()

    def clean(self) -> dict[str, Any]:
        """The model exists; a new line does not silently replace the one that there is."""
        values: dict[str, Any] = super().clean() or {}
        if values.get("alias") and (said := problem(values["alias"])):
            self.add_error("alias", said)
        pattern = values.get("pattern")
        if not pattern or ("tenant" in self.fields and not values.get("tenant")):
            return values
        others = ModelRoute.objects.filter(tenant_id=self.tenant_id(), pattern=pattern).exclude(pk=self.instance.pk)
        if others.exists():
            self.add_error("pattern", "The map has a line for this name already; change that one.")
        return values
