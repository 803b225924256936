"""Forms of the admin pages, and what they have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from unfold import widgets

from ai import tools
from ai.admin.parts.base import sees_several_tenants, tenant_names
from ai.models import LanguageModel, Tenant

STAFF_SHOWN = 500

NONE_REGISTERED = "None is registered yet: the project decorates a Python function with @ai.tools.register."


def server_choices(also: Iterable[str]) -> list[tuple[str, str]]:
    """The registered functions, and those that were chosen though they are registered no more."""
    found = {tool.name: (tool.description.splitlines() or [""])[0] for tool in tools.default}
    choices = [(name, f"{name} — {text}" if text else name) for name, text in sorted(found.items())]
    return choices + [(name, f"{name} (not registered)") for name in also if name not in found]


def tenant_field(request: HttpRequest, *, required: bool = True) -> forms.ChoiceField | None:
    """A choice of the tenants in scope; None where there is only one to choose."""
    if not sees_several_tenants(request):
        return None
    choices = [("", "Choose a tenant"), *((str(key), name) for key, name in tenant_names(request).items())]
    return forms.ChoiceField(label="Tenant", choices=choices, required=required, widget=widgets.UnfoldAdminSelectWidget)


class UploadForm(forms.Form):
    """A file to keep."""

    file = forms.FileField(label="File", widget=widgets.UnfoldAdminFileFieldWidget)
    purpose = forms.ChoiceField(
        choices=[("assistants", "Assistants"), ("vision", "Vision"), ("user_data", "User data")],
        widget=widgets.UnfoldAdminSelectWidget,
        help_text="What the file is for, as the Assistants API calls it.",
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = tenant_field(request)
        if field:
            self.fields["tenant"] = field

    def tenant_id(self) -> UUID | None:
        """The chosen tenant; None where there was nothing to choose."""
        chosen = self.cleaned_data.get("tenant")
        return UUID(chosen) if chosen else None


class StoredKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form of something that keeps a key, which goes in and never comes out."""

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

    def key(self) -> str | None:
        """What the service does with the key: None keeps it, an empty text forgets it."""
        if self.cleaned_data.get("api_key"):
            return str(self.cleaned_data["api_key"])
        return "" if self.cleaned_data.get("forget_key") else None


class LanguageModelForm(StoredKeyForm):
    """A language model, its key, and its prices."""

    class Meta:
        model = LanguageModel
        fields = (
            "alias",
            "provider",
            "model",
            "base_url",
            "api_key_env",
            "api_version",
            "settings",
            "context_window",
            "input_price",
            "output_price",
            "cached_price",
            "is_enabled",
        )

    def clean_settings(self) -> Any:
        """An object."""
        value = self.cleaned_data.get("settings")
        if value in (None, ""):
            return {}
        if not isinstance(value, dict):
            raise forms.ValidationError('An object, such as {"temperature": 0.2}.')
        return value

    def clean(self) -> dict[str, Any]:
        """What the service would refuse is refused beside the field."""
        from ai.exceptions import InvalidInput
        from ai.services import language_models

        values: dict[str, Any] = super().clean() or {}
        row = LanguageModel(provider=values.get("provider", ""), base_url=values.get("base_url") or "", settings={})
        try:
            language_models.check(row)
        except InvalidInput as error:
            self.add_error("base_url", error.message)
        return values


class TenantForm(forms.ModelForm):  # type: ignore[type-arg]
    """A tenant and its members."""

    members = forms.ModelMultipleChoiceField(
        queryset=get_user_model()._default_manager.none(),
        required=False,
        widget=widgets.UnfoldAdminSelect2MultipleWidget,
        help_text="Staff who see this tenant's data. Superusers see every tenant's and need no membership.",
    )

    allowed_tools = forms.MultipleChoiceField(
        label="Functions of this server",
        required=False,
        widget=widgets.UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Those that this tenant's runs may call. None chosen: all of them.",
    )

    class Meta:
        model = Tenant
        fields = ("name", "allowed_tools")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "allowed_tools" in self.fields:
            self.initial["allowed_tools"] = chosen = list(self.instance.allowed_tools or [])
            choices = server_choices(chosen)
            self.fields["allowed_tools"].choices = choices  # type: ignore[attr-defined]
            if not choices:
                self.fields["allowed_tools"].help_text = NONE_REGISTERED
        if "members" not in self.fields:
            return
        staff = get_user_model()._default_manager.filter(is_staff=True, is_superuser=False)
        members: Any = self.fields["members"]
        members.queryset = staff.order_by("username", "pk")
        members.initial = self.member_ids()

    def clean_allowed_tools(self) -> list[str] | None:
        """The names; None for all."""
        return self.cleaned_data.get("allowed_tools") or None

    def member_ids(self) -> list[Any]:
        """The users who are members now."""
        from ai.models import TenantMembership

        if self.instance._state.adding:
            return []
        return list(TenantMembership.objects.filter(tenant_id=self.instance.pk).values_list("user_id", flat=True))
