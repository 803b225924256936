"""The form of an assistant: every tool and setting by its own field, none as a blob of JSON that nobody can read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.forms.fields import InvalidJSONInput
from django.utils import timezone
from unfold import widgets

from ai import ids, tenancy, tools
from ai.admin.parts import tools as shown_tools
from ai.admin.parts.forms import NONE_REGISTERED, server_choices
from ai.admin.parts.model_field import AliasField, problem
from ai.models import Assistant, DataSource, ForeignId, VectorStore

MOST_STORES = 200
MOST_CODE_FILES = 20

EFFORTS = [
    ("", "The model's own"),
    *((each, each.capitalize()) for each in ("none", "minimal", "low", "medium", "high")),
]
FORMATS = [
    ("", "The model's own (auto)"),
    ("text", "Text"),
    ("json_object", "JSON"),
    ("json_schema", "JSON of a schema"),
]


class IndentedJSON(forms.JSONField):
    """JSON that people can read while they edit it."""

    def prepare_value(self, value: Any) -> Any:
        """Indented; what was typed wrongly as it stands."""
        if value is None or isinstance(value, str | InvalidJSONInput):
            return value
        return json.dumps(value, ensure_ascii=False, indent=2) if value else ""


class AssistantForm(forms.ModelForm):  # type: ignore[type-arg]
    """An assistant. `apply` writes what is no column of its own."""

    model = AliasField()
    server_tools = forms.MultipleChoiceField(
        label="Functions of this server",
        required=False,
        widget=widgets.UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Python functions that the project registered; the server calls them itself while a run goes on.",
    )
    client_tools = IndentedJSON(
        label="Functions that clients answer",
        required=False,
        widget=widgets.UnfoldAdminTextareaWidget(attrs={"rows": 6, "spellcheck": "false", "class": "ai-mono"}),
        help_text='A list of definitions: [{"type": "function", "function": {"name": "…", "parameters": {…}}}]. '
        "A run that calls one waits until its client sends the output.",
    )
    file_search = forms.BooleanField(required=False, widget=widgets.UnfoldBooleanSwitchWidget)
    vector_store = forms.ChoiceField(
        required=False,
        widget=widgets.UnfoldAdminSelectWidget,
        help_text="Where file search looks, besides the files of the thread.",
    )
    code_interpreter = forms.BooleanField(
        required=False,
        widget=widgets.UnfoldBooleanSwitchWidget,
        help_text="For models whose provider runs code itself; others refuse the run.",
    )
    code_files = forms.CharField(
        label="Files for code",
        required=False,
        widget=widgets.UnfoldAdminTextInputWidget(attrs={"spellcheck": "false"}),
        help_text="IDs of files, separated by commas: file-…",
    )
    temperature = forms.FloatField(
        required=False,
        min_value=0,
        max_value=2,
        widget=widgets.UnfoldAdminDecimalFieldWidget(attrs={"step": "0.05"}),
        help_text="From 0 to 2. Empty: the model's own.",
    )
    top_p = forms.FloatField(
        label="Top p",
        required=False,
        min_value=0,
        max_value=1,
        widget=widgets.UnfoldAdminDecimalFieldWidget(attrs={"step": "0.05"}),
        help_text="From 0 to 1. Empty: the model's own.",
    )
    reasoning_effort = forms.ChoiceField(choices=EFFORTS, required=False, widget=widgets.UnfoldAdminSelectWidget)
    response_format = forms.ChoiceField(choices=FORMATS, required=False, widget=widgets.UnfoldAdminSelectWidget)
    response_schema = IndentedJSON(
        required=False,
        widget=widgets.UnfoldAdminTextareaWidget(attrs={"rows": 6, "spellcheck": "false", "class": "ai-mono"}),
        help_text='{"name": "invoice", "schema": {"type": "object", "properties": {…}}}',
    )

    metadata = IndentedJSON(
        required=False,
        widget=widgets.UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false", "class": "ai-mono"}),
        help_text='An object, such as {"team": "support"}.',
    )

    class Meta:
        model = Assistant
        fields = ("name", "description", "model", "instructions", "metadata", "external_id")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, value in _initial(self.instance).items():
            self.initial.setdefault(name, value)
        if "server_tools" in self.fields:
            choices = server_choices(self.initial["server_tools"])
            self._choices("server_tools", choices)
            if not choices:
                self.fields["server_tools"].help_text = NONE_REGISTERED
            self._choices("vector_store", store_choices(self.instance, self.initial["vector_store"]))

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]

    def clean_metadata(self) -> Any:
        """An object of texts."""
        value = self.cleaned_data.get("metadata")
        if value in (None, ""):
            return {}
        if not isinstance(value, dict):
            raise forms.ValidationError('An object, such as {"team": "support"}.')
        return value

    def clean_client_tools(self) -> list[dict[str, Any]]:
        """Definitions of functions, each with a name."""
        given = self.cleaned_data.get("client_tools") or []
        if not isinstance(given, list) or not all(_is_function(each) for each in given):
            raise forms.ValidationError('A list, such as [{"type": "function", "function": {"name": "lookup"}}].')
        return given

    def clean_code_files(self) -> list[str]:
        """Ids of files that exist; those that the assistant had may be gone."""
        given = [text.strip() for text in str(self.cleaned_data.get("code_files") or "").split(",")]
        wanted = list(dict.fromkeys(text for text in given if text))
        if len(wanted) > MOST_CODE_FILES:
            raise forms.ValidationError(f"At most {MOST_CODE_FILES} files.")
        known = DataSource.objects.existing(wanted) if wanted else frozenset()
        kept = shown_tools.file_ids(self.instance.tool_resources)
        missing = [text for text in wanted if text not in known and text not in kept]
        if missing:
            raise forms.ValidationError(f"There is no file {missing[0][:60]}.")
        return wanted

    def clean_response_schema(self) -> Any:
        """An object with a name, where a schema is asked for."""
        value = self.cleaned_data.get("response_schema")
        if self.cleaned_data.get("response_format") != "json_schema":
            return None
        if not (
            isinstance(value, dict) and isinstance(value.get("name"), str) and isinstance(value.get("schema"), dict)
        ):
            raise forms.ValidationError('An object with a name and a schema: {"name": "…", "schema": {…}}.')
        return value

    def clean(self) -> dict[str, Any]:
        """A model that there is, and a vector store of the chosen tenant."""
        values: dict[str, Any] = super().clean() or {}
        model = values.get("model") if "model" in self.changed_data else ""
        if model and (said := problem(model, tenant_id=self._tenant_id(values))):
            self.add_error("model", said)
        chosen, tenant = values.get("vector_store"), values.get("tenant")
        if chosen and tenant and not VectorStore.objects.filter(_named(tenant, chosen), tenant_id=tenant).exists():
            self.add_error("vector_store", "This vector store belongs to another tenant.")
        return values

    def _tenant_id(self, values: Mapping[str, Any]) -> UUID | None:
        """Whose assistant it is: the row's tenant, the chosen one (none yet where that field is wrong), or the only one."""
        known: UUID | None = self.instance.tenant_id
        if known is not None:
            return known
        if "tenant" in self.fields:
            return UUID(values["tenant"]) if values.get("tenant") else None
        return tenancy.get_current_tenant_id()

    def apply(self, row: Assistant) -> None:
        """Write tools, what they work on, and settings."""
        values = self.cleaned_data
        if "server_tools" not in values:
            return
        row.tools = [
            *_server_tools(row, values["server_tools"]),
            *values["client_tools"],
            *_built_in(row, "file_search", wanted=values["file_search"]),
            *_built_in(row, "code_interpreter", wanted=values["code_interpreter"]),
        ]
        row.tool_resources = _resources(row.tool_resources, values)
        given = {name: values[name] for name in ("temperature", "top_p", "reasoning_effort")}
        given["response_format"] = _format(values)
        kept = {name: value for name, value in (row.settings or {}).items() if name not in given}
        row.settings = kept | {name: value for name, value in given.items() if value not in (None, "")}


def store_choices(row: Assistant, chosen: str) -> list[tuple[str, str]]:
    """The newest vector stores of the assistant's tenant, by their public ids."""
    rows = VectorStore.objects.alive(timezone.now()).order_by("-created", "-pk")
    if row.tenant_id is not None:
        rows = rows.filter(tenant_id=row.tenant_id)
    found = {store.pk: str(store) for store in rows.only("pk", "name")[:MOST_STORES]}
    texts = ForeignId.objects.texts(found)
    choices = [(texts.get(key) or ids.public("vector_store", key), name) for key, name in found.items()]
    gone = [(chosen, f"{chosen} (not here any more)")] if chosen and chosen not in dict(choices) else []
    return [("", "None"), *choices, *gone]


def _named(tenant_id: str, text: str) -> Q:
    return Q(pk__in=ids.keys(tenant_id, text))


def _initial(row: Assistant) -> dict[str, Any]:
    """What the fields say of the assistant as it is."""
    given = [tool for tool in row.tools if isinstance(tool, dict)] if isinstance(row.tools, list) else []
    functions = [tool for tool in given if tool.get("type") not in shown_tools.BUILT_IN]
    settings = row.settings if isinstance(row.settings, dict) else {}
    form = settings.get("response_format")
    kind = str(form.get("type") or "") if isinstance(form, dict) else ""
    stores = shown_tools.store_ids(row.tool_resources)
    return {
        "server_tools": [name for tool in functions if (name := _name(tool)) and tools.default.get(name)],
        "client_tools": [tool for tool in functions if not tools.default.get(_name(tool))],
        "file_search": any(tool.get("type") == "file_search" for tool in given),
        "code_interpreter": any(tool.get("type") == "code_interpreter" for tool in given),
        "vector_store": stores[0] if stores else "",
        "code_files": ", ".join(shown_tools.file_ids(row.tool_resources)),
        "temperature": settings.get("temperature"),
        "top_p": settings.get("top_p"),
        "reasoning_effort": settings.get("reasoning_effort") or "",
        "response_format": kind,
        "response_schema": form.get("json_schema") if kind == "json_schema" and isinstance(form, dict) else None,
    }


def _name(tool: Mapping[str, Any]) -> str:
    function = tool.get("function")
    return str(function.get("name") or "") if isinstance(function, Mapping) else ""


def _is_function(tool: Any) -> bool:
    return isinstance(tool, dict) and tool.get("type") == "function" and bool(_name(tool))


def _server_tools(row: Assistant, names: list[str]) -> list[dict[str, Any]]:
    """Definitions: the assistant's own where it has one, else the registered."""
    own = {_name(tool): tool for tool in row.tools or [] if isinstance(tool, dict)}
    found = [own.get(name) or (tool.to_json() if (tool := tools.default.get(name)) else None) for name in names]
    return [tool for tool in found if tool]


def _built_in(row: Assistant, kind: str, *, wanted: bool) -> list[dict[str, Any]]:
    """The tool with the options that it had."""
    own = [tool for tool in row.tools or [] if isinstance(tool, dict) and tool.get("type") == kind]
    return (own[:1] or [{"type": kind}]) if wanted else []


def _resources(before: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in (before or {}).items() if name not in shown_tools.BUILT_IN}
    if values["vector_store"]:
        kept["file_search"] = {"vector_store_ids": [values["vector_store"]]}
    if values["code_files"]:
        kept["code_interpreter"] = {"file_ids": values["code_files"]}
    return kept


def _format(values: Mapping[str, Any]) -> Any:
    kind = values["response_format"]
    if kind == "json_schema":
        return {"type": kind, "json_schema": values["response_schema"]}
    return {"type": kind} if kind else None
