"""What one run is to do, apart from any database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ai import ids

if TYPE_CHECKING:
    from pydantic_ai.models import Model

    from ai.llm import ModelSpec
    from ai.runner.tools import ToolBox

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, how often and how much; times in seconds."""

    seconds: float = 600
    first_token_seconds: float = 120
    rounds: int = 20
    retries: int = 3
    backoff_seconds: float = 0.5
    longest_wait_seconds: float = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What earlier rounds of the same run did: before its client answered tool calls, or before its worker died."""

    messages: Sequence[Json] = ()
    """Its messages so far, in OpenAI's chat format; the model gets them after the history."""
    call_ids: frozenset[str] = frozenset()
    steps: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost: Decimal | None = None
    first_token_ms: int | None = None
    duration_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A model, what it gets to read, and how it may answer."""

    run_id: UUID
    model: Model
    history: Sequence[Json]
    """Messages in OpenAI's chat format, oldest first."""
    spec: ModelSpec | None = None
    """For the price; without it a run has no cost."""
    alias: str = ""
    instructions: str = ""
    tools: Sequence[Json] = ()
    """As the Assistants API has them: `function`, `file_search`, `code_interpreter`."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The run's settings under OpenAI's names: temperature, max_completion_tokens, tool_choice, …"""
    toolbox: ToolBox | None = None
    """Who answers tool calls; without one every call is for the client."""
    limits: Limits = Limits()
    done: Done = Done()
    thread_id: UUID | str | None = None
    assistant_id: UUID | str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    created: datetime | None = None
    started: datetime | None = None
    expires: datetime | None = None
    shown: Mapping[UUID, str] = field(default_factory=dict)
    """Ids that came with an import, under the keys made of them."""

    def shown_id(self, kind: str, key: UUID | str) -> str:
        """The id that clients know."""
        uuid = ids.parse(key)
        return self.shown.get(uuid) or ids.public(kind, uuid)
