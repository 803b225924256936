"""Tools, what they work on, and how answers are formatted: parts of assistants, threads and runs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Tag, WithJsonSchema

from ai.api.wire.base import AS_IT_CAME, BY_TYPE, Metadata
from ai.exceptions import InvalidInput

MOST_TOOLS = 128
MOST_CODE_FILES = 20
MOST_SEARCH_RESULTS = 50
MOST_FILES_OF_A_NEW_STORE = 10_000

FORMATS = ("text", "json_object", "json_schema")


class FunctionDefinition(BaseModel):
    """A function that the client, or this server, executes."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    description: str | None = None
    parameters: dict[str, Any] | None = None


class FunctionTool(BaseModel):
    """A function that a model may call."""

    model_config = ConfigDict(extra="allow")

    type: Literal["function"]
    function: FunctionDefinition


class FileSearchOptions(BaseModel):
    """How files are searched."""

    model_config = ConfigDict(extra="allow")

    max_num_results: int | None = Field(None, ge=1, le=MOST_SEARCH_RESULTS, strict=True)
    ranking_options: dict[str, Any] | None = None


class FileSearchTool(BaseModel):
    """The search in vector stores."""

    model_config = ConfigDict(extra="allow")

    type: Literal["file_search"]
    file_search: FileSearchOptions | None = None


class CodeInterpreterTool(BaseModel):
    """Code that the model's provider runs."""

    model_config = ConfigDict(extra="allow")

    type: Literal["code_interpreter"]


Tool = Annotated[
    Annotated[FunctionTool, Tag("#function")]
    | Annotated[FileSearchTool, Tag("#file_search")]
    | Annotated[CodeInterpreterTool, Tag("#code_interpreter")],
    BY_TYPE,
]
Tools = Annotated[list[Tool], Field(max_length=MOST_TOOLS), AS_IT_CAME]


class NewStore(BaseModel):
    """A vector store that is made on the way."""

    model_config = ConfigDict(extra="allow")

    file_ids: list[str] | None = Field(None, max_length=MOST_FILES_OF_A_NEW_STORE)
    chunking_strategy: dict[str, Any] | None = None
    metadata: Metadata | None = None


class FileSearchResources(BaseModel):
    """What is searched."""

    vector_store_ids: list[str] | None = Field(None, max_length=1)
    vector_stores: list[NewStore] | None = Field(None, max_length=1)


class CodeResources(BaseModel):
    """What code can read."""

    file_ids: list[str] | None = Field(None, max_length=MOST_CODE_FILES)


class ToolResources(BaseModel):
    """What the tools work on."""

    code_interpreter: CodeResources | None = None
    file_search: FileSearchResources | None = None


GivenResources = Annotated[ToolResources, AS_IT_CAME]


def _check_format(value: Any) -> Any:
    kind = value.get("type") if isinstance(value, dict) else value
    if value is None or value == "auto" or (isinstance(value, dict) and kind in FORMATS):
        return value if kind != "json_schema" else _check_schema(value)
    raise InvalidInput(
        "Invalid 'response_format': expected 'auto', or an object whose 'type' is 'text', 'json_object' or 'json_schema'.",
        param="response_format",
        code="invalid_value",
    )


def _check_schema(value: dict[str, Any]) -> dict[str, Any]:
    named = value.get("json_schema")
    if not (isinstance(named, dict) and isinstance(named.get("name"), str)):
        raise InvalidInput(
            "Missing required parameter: 'response_format.json_schema.name'.",
            param="response_format.json_schema.name",
            code="missing_required_parameter",
        )
    return value


#: "auto", or an object that asks for text, for JSON, or for JSON of a schema.
ResponseFormat = Annotated[
    Any,
    BeforeValidator(_check_format),
    WithJsonSchema(
        {
            "oneOf": [
                {"type": "null"},
                {"const": "auto"},
                {
                    "type": "object",
                    "required": ["type"],
                    "properties": {"type": {"enum": ["text", "json_object"]}},
                },
                {
                    "type": "object",
                    "required": ["type", "json_schema"],
                    "properties": {
                        "type": {"const": "json_schema"},
                        "json_schema": {
                            "type": "object",
                            "required": ["name"],
                            "properties": {"name": {"type": "string"}, "schema": {"type": "object"}},
                        },
                    },
                },
            ]
        }
    ),
]
