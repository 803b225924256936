"""Runs on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Tag

from ai.api.wire.assistants import MOST_INSTRUCTIONS
from ai.api.wire.base import AS_IT_CAME, BY_TYPE, Metadata, Request, Temperature, TopP, seconds
from ai.api.wire.messages import CreateMessage
from ai.api.wire.names import PublicIds
from ai.api.wire.threads import CreateThread
from ai.api.wire.tools import GivenResources, ResponseFormat, Tools
from ai.events import snapshots
from ai.models import Run
from ai.models.runs import FINAL, RunStatus
from ai.runner.loading import OVERRIDES

LEAST_TOKENS = 256

#: The column that holds when a run reached a state, by the name that the API has for it.
STAMPS = {
    "cancelled_at": RunStatus.CANCELLED,
    "failed_at": RunStatus.FAILED,
    "completed_at": RunStatus.COMPLETED,
}


class TruncationStrategy(BaseModel):
    """How much of a thread a model gets."""

    type: Literal["auto", "last_messages"]
    last_messages: int | None = Field(None, ge=1, strict=True)


class ChosenFunction(BaseModel):
    """A function by its name."""

    name: str


class FunctionChoice(BaseModel):
    """The model has to call this function."""

    type: Literal["function"]
    function: ChosenFunction


class FileSearchChoice(BaseModel):
    """The model has to search files."""

    type: Literal["file_search"]


class CodeChoice(BaseModel):
    """The model has to run code."""

    type: Literal["code_interpreter"]


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("#string")]
    | Annotated[FunctionChoice, Tag("#function")]
    | Annotated[FileSearchChoice, Tag("#file_search")]
    | Annotated[CodeChoice, Tag("#code_interpreter")],
    BY_TYPE,
    AS_IT_CAME,
]
Budget = Annotated[int, Field(ge=LEAST_TOKENS, strict=True)]


class RunOptions(Request):
    """What a run may do otherwise than its assistant; what is absent or null is the assistant's."""

    assistant_id: str
    model: str | None = Field(None, min_length=1, max_length=255)
    instructions: str | None = Field(None, max_length=MOST_INSTRUCTIONS)
    tools: Tools | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    stream: bool | None = None
    max_prompt_tokens: Budget | None = None
    max_completion_tokens: Budget | None = None
    truncation_strategy: Annotated[TruncationStrategy, AS_IT_CAME] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None


class CreateRun(RunOptions):
    """A run of an assistant on a thread."""

    additional_instructions: str | None = Field(None, max_length=MOST_INSTRUCTIONS)
    additional_messages: list[CreateMessage] | None = None


class CreateThreadAndRun(RunOptions):
    """A thread, and a run on it."""

    thread: CreateThread | None = None
    tool_resources: GivenResources | None = None


class ModifyRun(Request):
    """Other metadata."""

    metadata: Metadata | None = None


class ToolOutput(BaseModel):
    """The result of one call."""

    model_config = ConfigDict(extra="allow")

    tool_call_id: str | None = None
    output: str | None = None


class SubmitToolOutputs(Request):
    """The results of all calls that a run waits for."""

    tool_outputs: list[ToolOutput]
    stream: bool | None = None


class Usage(BaseModel):
    """Tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class RunAnswer(BaseModel):
    """A run."""

    id: str
    object: Literal["thread.run"]
    created_at: int
    thread_id: str
    assistant_id: str
    status: Literal[
        "queued",
        "in_progress",
        "requires_action",
        "cancelling",
        "cancelled",
        "failed",
        "completed",
        "incomplete",
        "expired",
    ]
    required_action: dict[str, Any] | None
    last_error: dict[str, Any] | None
    expires_at: int | None
    started_at: int | None
    cancelled_at: int | None
    failed_at: int | None
    completed_at: int | None
    incomplete_details: dict[str, Any] | None
    model: str
    instructions: str
    tools: list[dict[str, Any]]
    metadata: dict[str, str]
    usage: Usage | None
    temperature: float | None
    top_p: float | None
    max_prompt_tokens: int | None
    max_completion_tokens: int | None
    truncation_strategy: dict[str, Any]
    tool_choice: Any
    parallel_tool_calls: bool
    response_format: Any


def runs(rows: Sequence[Run]) -> list[dict[str, Any]]:
    """The runs as JSON: one query at most, whatever their number."""
    keys = [key for row in rows for key in (row.pk, row.thread_id, row.assistant_id)]
    ids = PublicIds(*keys)
    return [_run(row, ids) for row in rows]


def run(row: Run) -> dict[str, Any]:
    """One of them."""
    return runs([row])[0]


def _run(row: Run, ids: PublicIds) -> dict[str, Any]:
    found = snapshots.run(
        run_id=ids.of("run", row.pk),
        thread_id=ids.of("thread", str(row.thread_id)),
        assistant_id=ids.maybe("assistant", row.assistant_id) or "",
        model=row.model,
        instructions=row.instructions,
        tools=row.tools or [],
        settings=row.settings or {},
        metadata=_metadata(row),
        created_at=int(row.created.timestamp()),
        expires_at=seconds(row.expires_at) if row.is_active else None,
    )
    found |= {"status": str(row.status), "started_at": seconds(row.started_at)}
    found |= {name: seconds(row.ended_at) for name, status in STAMPS.items() if row.status == status}
    found["last_error"] = snapshots.last_error(row.error_code, row.error_message)
    found["incomplete_details"] = snapshots.incomplete_details(row.incomplete_reason)
    if row.status == RunStatus.REQUIRES_ACTION:
        found["required_action"] = row.required_action
    if row.status in FINAL:
        found["usage"] = snapshots.usage(row.prompt_tokens, row.completion_tokens)
    return found


def _metadata(row: Run) -> dict[str, str]:
    """What clients keep with the run; what the console keeps there is not theirs."""
    kept = row.metadata if isinstance(row.metadata, dict) else {}
    return {key: value for key, value in kept.items() if key != OVERRIDES and isinstance(value, str)}
