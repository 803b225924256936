"""The form that asks for replays."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django import forms
from django.http import HttpRequest

from ai import conf
from ai.llm.specs import AGENT
from ai.models import LanguageModel
from ai.services import language_models
from ai.services.language_models import Choice

#: Models in one request, and models offered to choose from.
MOST_MODELS = 8
MOST_OFFERED = 100

_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}")


@dataclass(frozen=True)
class Offer:
    """A model to choose."""

    alias: str
    provider: str
    model: str
    is_chosen: bool


class ReplayForm(forms.Form):
    """Models, overrides, and a key that makes a second submission the same request."""

    models = forms.MultipleChoiceField(required=False)
    other = forms.CharField(required=False, max_length=1000)
    override = forms.BooleanField(required=False)
    instructions = forms.CharField(required=False, max_length=100_000, widget=forms.Textarea)
    temperature = forms.FloatField(required=False, min_value=0, max_value=2)
    key = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial)
        self._known = language_models.choices(most=MOST_OFFERED)
        default = conf.current().default_model
        if default and default not in {choice.alias for choice in self._known}:
            provider = "local" if default.startswith("local:") else ""
            self._known.insert(0, Choice(default, provider, default.partition(":")[2]))
        self.fields["models"].choices = [(choice.alias, choice.alias) for choice in self._known]  # type: ignore[attr-defined]

    def offered(self) -> list[Offer]:
        """The models to choose from."""
        chosen = set(self["models"].value() or [])
        names = {**dict(LanguageModel._meta.get_field("provider").flatchoices), AGENT: "Marvin agent"}
        return [Offer(c.alias, names.get(c.provider, c.provider), c.model, c.alias in chosen) for c in self._known]

    def clean_other(self) -> list[str]:
        """Aliases, separated by commas or blanks."""
        given = re.split(r"[\s,]+", str(self.cleaned_data["other"]).strip())
        wrong = [alias for alias in given if alias and not _ALIAS.fullmatch(alias)]
        if wrong:
            raise forms.ValidationError(f"“{wrong[0][:60]}” is no model. Write it like openai:gpt-4o-mini.")
        return [alias for alias in given if alias]

    def clean(self) -> dict[str, Any]:
        """Between one and eight models."""
        values: dict[str, Any] = super().clean() or {}
        count = len(self._aliases(values))
        if not self.errors and not count:
            self.add_error("models", "Choose at least one model.")
        if count > MOST_MODELS:
            self.add_error("models", f"Choose at most {MOST_MODELS} models at once.")
        return values

    def _aliases(self, values: dict[str, Any]) -> list[str]:
        return list(dict.fromkeys([*values.get("models", []), *(values.get("other") or [])]))

    def arguments(self) -> dict[str, Any]:
        """What `services.replays.request` takes."""
        values = self.cleaned_data
        return {
            "model_aliases": self._aliases(values),
            "instructions": values["instructions"] if values["override"] else None,
            "temperature": values["temperature"],
            "key": values["key"].hex if values["key"] else "",
        }


def bound(request: HttpRequest) -> ReplayForm:
    """The form, filled from what was sent, or empty with a new key."""
    if request.method == "POST":
        return ReplayForm(request.POST)
    chosen = [alias for alias in request.GET.get("models", "").split(",") if alias]
    form = ReplayForm(initial={"key": uuid4()})
    known = {alias for alias, _ in form.fields["models"].choices}  # type: ignore[attr-defined]
    form.initial["models"] = [alias for alias in chosen if alias in known] or [conf.current().default_model]
    form.initial["other"] = ", ".join(alias for alias in chosen if alias not in known)
    return form
