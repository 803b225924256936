"""A field for a model's alias: offers what there is, and takes provider:model too."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold import widgets

from ai import llm
from ai.exceptions import InvalidInput, NotFound
from ai.services import language_models, model_routes

MOST_OFFERED = 100


class AliasInput(widgets.UnfoldAdminTextInputWidget):
    """A text with suggestions, without any script."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"autocomplete": "off", "spellcheck": "false", "list": "model-aliases", **(attrs or {})})

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """The field and what it suggests: read when a page is made, so that new models are offered at once."""
        options = format_html_join("", '<option value="{}">{}</option>', offered())
        field = super().render(name, value, attrs, renderer)
        return format_html('{}<datalist id="model-aliases">{}</datalist>', field, options)


def offered() -> list[tuple[str, str]]:
    """(alias, what answers under it) of the models that can be chosen."""
    found = {
        choice.alias: f"{choice.provider} · {choice.model}" for choice in language_models.choices(most=MOST_OFFERED)
    }
    return list({model_routes.EMBEDDED: "comes with the installation", **found}.items())


class AliasField(forms.CharField):
    """An alias, or provider:model. Whether there is such a model is for the form to ask."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 255, "widget": AliasInput, **kwargs})


def problem(name: str, *, tenant_id: UUID | None = None) -> str:
    """Why `name` leads to no model, or nothing. With a tenant, what its map of models knows is fine too."""
    try:
        if tenant_id is not None:
            model_routes.alias_of(name, tenant_id=tenant_id)
        else:
            llm.spec(name)
    except (InvalidInput, NotFound):
        return (
            f"There is no model “{name}”. Choose a language model, write provider:model, or map this name to a model."
        )
    return ""
