"""From rows to what a run is to do, for many runs with few queries."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import Error as DatabaseFault

from ai import conf, llm, tenancy
from ai.exceptions import AIError, ModelError
from ai.models import Message, Run, RunStep
from ai.runner import tools
from ai.runner.order import Limits, Order
from ai.runner.tools import ToolBox

if TYPE_CHECKING:
    from pydantic_ai.models import Model

    from ai.llm import ModelSpec

log = logging.getLogger(__name__)

Json = dict[str, Any]

#: Under this name a replay's metadata says what it was told to do otherwise than the original.
OVERRIDES = "overrides"


@dataclass(frozen=True, slots=True)
class Work:
    """A taken run with all that is needed to execute it; `problem` says why it cannot be."""

    run: Run
    spec: ModelSpec | None
    history: list[Json]
    tools: list[Json]
    toolbox: ToolBox
    problem: AIError | None = None

    def order(self, model: Model, *, limits: Limits) -> Order:
        """The order for the runner."""
        run = self.run
        return Order(
            run_id=run.pk,
            model=model,
            spec=self.spec,
            alias=run.model,
            history=self.history,
            instructions=run.instructions,
            tools=self.tools,
            settings=run.settings or {},
            toolbox=self.toolbox,
            limits=limits,
            thread_id=run.thread_id,
            assistant_id=run.assistant_id,
            metadata=run.metadata or {},
            created=run.created,
            expires=run.expires_at,
        )


def limits_of(run: Run, *, at: datetime) -> Limits:
    """The installation's limits, and the run's own time."""
    settings = conf.current()
    seconds: float = settings.run_max_seconds
    if run.expires_at is not None:
        seconds = min(seconds, (run.expires_at - at).total_seconds())
    return Limits(
        seconds=seconds,
        first_token_seconds=settings.first_token_seconds,
        rounds=settings.run_max_rounds,
        retries=settings.model_retries,
    )


def scope_of(runs: Iterable[Run]) -> AbstractContextManager[Any]:
    """The scope of the runs' tenants."""
    tenants = {run.tenant_id for run in runs}
    if None in tenants:
        return tenancy.everything(reason="runs without a tenant")
    return tenancy.scope(*(tenant for tenant in tenants if tenant))


def load(runs: Sequence[Run]) -> list[Work]:
    """Read what the runs need: a query for the messages, one for each model, one for recorded tool calls."""
    with scope_of(runs):
        messages, steps = _messages(runs), _recorded_steps(runs)
        specs = {alias: _spec(alias) for alias in {run.model for run in runs}}
        return [_tried(run, messages[str(run.thread_id)], steps[run.replay_of], specs[run.model]) for run in runs]


def _spec(alias: str) -> ModelSpec | AIError:
    try:
        return llm.spec(alias)
    except AIError as error:
        return error
    except DatabaseFault:
        raise
    except Exception as error:
        log.exception("The model %s cannot be read.", alias)
        return llm.translate(error)


def _tried(run: Run, messages: list[tuple[int, Json]], steps: list[Json], spec: ModelSpec | AIError) -> Work:
    """The run's work; one with data that nobody can read fails alone, not with all that were taken together."""
    try:
        return _work(run, messages, steps, spec)
    except Exception:
        log.exception("Run %s cannot be read.", run.pk)
        problem = ModelError("The run or its conversation cannot be read; see the console's log.", code="server_error")
        return Work(run=run, spec=None, history=[], tools=[], toolbox=tools.Live(), problem=problem)


def _messages(runs: Sequence[Run]) -> dict[str, list[tuple[int, Json]]]:
    bounds = [None if run.history_until is None else max(run.history_until, run.replay_to or 0) for run in runs]
    # The runs are of these threads. With a tenant in the query, SQLite would read all that the tenant has.
    rows = Message._base_manager.filter(thread_id__in={str(run.thread_id) for run in runs})
    if None not in bounds:
        rows = rows.filter(sequence__lte=max(bound for bound in bounds if bound is not None))
    found: dict[str, list[tuple[int, Json]]] = defaultdict(list)
    ordered = rows.order_by("thread_id", "sequence").values_list("thread_id", "sequence", "message")
    for thread_id, sequence, message in ordered.iterator(chunk_size=2000):
        found[str(thread_id)].append((sequence, message or {}))
    return found


def _recorded_steps(runs: Sequence[Run]) -> dict[Any, list[Json]]:
    originals = {run.replay_of for run in runs if run.replay_of and run.tools}
    found: dict[Any, list[Json]] = defaultdict(list)
    if originals:
        rows = RunStep.objects.filter(run_id__in=originals, type="tool_calls").order_by("run_id", "index")
        for run_id, details in rows.values_list("run_id", "details"):
            found[run_id].append(details)
    return found


def _work(run: Run, messages: list[tuple[int, Json]], steps: list[Json], spec: ModelSpec | AIError) -> Work:
    history = [m for sequence, m in messages if run.history_until is None or sequence <= run.history_until]
    box: ToolBox = tools.Live()
    offered = run.tools or []
    if run.is_replay:
        turn = [m for sequence, m in messages if (run.replay_from or 0) <= sequence <= (run.replay_to or 0)]
        recording = tools.recording_of(turn) or tools.recording_of_steps(steps)
        box = tools.Recorded(recording, earlier=tools.recording_of(history))
        if run.replay_of is None:
            offered = offered or tools.offered_by([*history, *turn])
    if overrides_of(run).get("instructions"):
        history = without_leading_instructions(history)
    found, problem = (None, spec) if isinstance(spec, AIError) else (spec, None)
    return Work(run=run, spec=found, history=history, tools=offered, toolbox=box, problem=problem)


def overrides_of(run: Run) -> Json:
    """What the replay was told to do otherwise; empty where the metadata is somebody's own."""
    overrides = run.metadata.get(OVERRIDES) if isinstance(run.metadata, dict) else None
    return overrides if isinstance(overrides, dict) else {}


def without_leading_instructions(history: list[Json]) -> list[Json]:
    """The history without the system messages that it begins with."""
    first = next((i for i, m in enumerate(history) if m.get("role") not in {"system", "developer"}), len(history))
    return history[first:]
