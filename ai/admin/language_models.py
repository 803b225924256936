"""Language models: forms over the service, and "Test connection"."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from ai.admin.parts import badges
from ai.admin.parts.configuration_csv import ConfigurationCsv, InstallationForm
from ai.admin.parts.filters import exact
from ai.admin.parts.forms import LanguageModelForm
from ai.admin.parts.providers import HELP
from ai.admin.parts.tested import TestedAdmin, Trial
from ai.models import LanguageModel
from ai.models.language_models import PROVIDERS
from ai.services import language_models

KEY_ICONS = {"stored": "lock", "from environment": "terminal", "missing": "key_off", "not needed": "lock_open"}


def key_badge(row: LanguageModel) -> SafeString:
    """Where the key is, never what it is."""
    status = language_models.key_status(row)
    return badges.badge(f"Key {status}", badges.TONES[status], icon=KEY_ICONS[status])


def _asks(row: LanguageModel) -> str:
    return f"“{row.alias}” gets one short question, as the saved settings say. It costs a few tokens."


def _tested(request: HttpRequest, row: LanguageModel) -> str:
    found = language_models.test(row=row, by=request.user, at=timezone.now())
    said = f"It said: “{found.answer}”" if found.answer else "It said nothing."
    return f"“{row.alias}” answered in {found.latency_ms:,} ms. {said}"


@admin.register(LanguageModel)
class LanguageModelAdmin(ConfigurationCsv, TestedAdmin):
    """Models belong to the installation, not to a tenant."""

    trial = Trial(key_badge, _asks, _tested)

    form = LanguageModelForm
    import_form_class = InstallationForm
    csv_about = "API keys and headers are not in such files; models that are here keep theirs, unless they go to another server."
    tenant_column = False
    list_display = ("alias_shown", "provider_name", "model_name", "key", "prices", "enabled")
    list_display_links = ("alias_shown",)
    list_filter = (
        exact("provider", "provider", PROVIDERS),
        exact("is_enabled", "state", [("1", "Enabled"), ("0", "Off")]),
    )
    ordering = ("alias", "pk")
    search_fields = ("alias", "model")
    search_help_text = "An alias or a model's name"
    conditional_fields = {"api_version": "provider == 'azure'"}
    change_form_outer_before_template = "admin/ai/languagemodel/before.html"
    empty_title = "No language models yet"
    empty_text = "Add one to replay conversations on it. Without any, the embedded model local:smollm2 still answers."

    class Media:
        js = ("ai/pages.js",)

    @display(description="Alias")
    def alias_shown(self, row: LanguageModel) -> SafeString:
        """What people choose."""
        return badges.clip(row.alias, 40)

    @display(description="Provider")
    def provider_name(self, row: LanguageModel) -> str:
        """Whose it is."""
        return str(row.get_provider_display())

    @display(description="Model")
    def model_name(self, row: LanguageModel) -> SafeString:
        """The provider's own name."""
        return badges.clip(row.model, 40)

    @display(description="API key")
    def key(self, row: LanguageModel) -> SafeString:
        """Where the key is."""
        return key_badge(row)

    @display(description="In / out per 1M tokens")
    def prices(self, row: LanguageModel) -> SafeString:
        """The row's own prices."""
        if row.input_price is None and row.output_price is None:
            return badges.NONE
        return SafeString(badges.money(row.input_price) + " / " + badges.money(row.output_price))

    @display(description="State")
    def enabled(self, row: LanguageModel) -> SafeString:
        """Whether it can be chosen."""
        return badges.badge("Enabled", "green") if row.is_enabled else badges.badge("Off", "gray")

    # -- The form
    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The key's fields only for those who may change it."""
        may_write = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        stored = bool(obj and obj.encrypted_key)
        key = ["api_key", *(["forget_key"] if stored else []), "api_key_env"] if may_write else ["api_key_env"]
        return (
            (None, {"fields": ("alias", "provider", "model", "base_url", "api_version", "is_enabled")}),
            ("API key", {"fields": key}),
            ("Settings", {"fields": ("settings", "context_window")}),
            ("Prices", {"fields": ("input_price", "output_price", "cached_price")}),
        )

    def save_model(self, request: HttpRequest, obj: LanguageModel, form: Any, change: Any) -> None:
        """Through the service."""
        had_key, key = bool(obj.encrypted_key), form.key()
        language_models.save(row=obj, api_key=key, by=request.user, at=timezone.now())
        if had_key and key is None and not obj.encrypted_key:
            said = (
                f"“{obj.alias}” goes to another server now, so its stored API key was forgotten. Enter the key again."
            )
            messages.warning(request, said)

    def delete_model(self, request: HttpRequest, obj: LanguageModel) -> None:
        """Through the service."""
        language_models.delete(row=obj, by=request.user, at=timezone.now())

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """The form, with help that follows the provider."""
        return super().changeform_view(request, object_id, form_url, {"provider_help": HELP, **(extra_context or {})})
