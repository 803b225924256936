"""From rows to what a run is to do, for many runs with few queries."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.db import Error as DatabaseFault

from ai import conf, ids, llm, tenancy
from ai.exceptions import AIError, ModelError
from ai.models import ForeignId, Message, Run, RunStep, Tenant
from ai.runner import attachments, tools
from ai.runner.calls import FILE_SEARCH
from ai.runner.order import Done, Limits, Order
from ai.runner.tools import ToolBox

if TYPE_CHECKING:
    from pydantic_ai.models import Model

    from ai.llm import ModelSpec
    from ai.runner.file_search import FileSearch

log = logging.getLogger(__name__)

Json = dict[str, Any]

#: Under this name a run's settings hold the public ids of the vector stores that it may search.
STORES = "vector_store_ids"

#: Tenants and the registered functions that their runs may call.
Allowed = dict[UUID | None, list[str] | None]

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
    done: Done = field(default_factory=Done)
    shown: dict[UUID, str] = field(default_factory=dict)

    def order(self, model: Model | None, *, limits: Limits) -> Order:
        """The order for the runner; one without a model can only fail."""
        run = self.run
        if model is not None and run.is_replay and self.spec and self.spec.provider == llm.AGENT:
            model = llm.answered(model, self._recorded)  # an agent's tools are not executed again either
        return Order(
            run_id=run.pk,
            model=cast("Model", model),
            spec=self.spec,
            alias=run.model,
            history=self.history,
            instructions=run.instructions,
            tools=self.tools,
            settings=run.settings or {},
            toolbox=self.toolbox,
            limits=limits,
            done=self.done,
            shown=self.shown,
            thread_id=run.thread_id,
            assistant_id=run.assistant_id,
            metadata=run.metadata or {},
            created=run.created,
            started=run.started_at,
            expires=run.expires_at,
        )

    async def _recorded(self, name: str, arguments: str) -> str:
        found = await self.toolbox.answer(name, arguments)
        return found.output if found else tools.UNRECORDED


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
    """Read what the runs need: a query for the messages, one for each model, one for recorded tool calls, one for what
    earlier rounds did, and where they are used, one for files and one for tenants."""
    with scope_of(runs):
        messages, steps = _messages(runs), _recorded_steps(runs)
        specs = {alias: _spec(alias) for alias in {run.model for run in runs}}
        done, allowed, shown = _earlier_rounds(runs), _allowed_tools(runs), _shown_ids(runs)
        found = [
            _tried(run, messages[str(run.thread_id)], steps[run.replay_of], specs[run.model], allowed) for run in runs
        ]
        found = [replace(work, done=done.get(work.run.pk, work.done), shown=shown) for work in found]
        return _with_files(found)


def _with_files(found: list[Work]) -> list[Work]:
    try:
        histories = attachments.with_contents([work.history for work in found])
    except DatabaseFault:
        raise
    except Exception:
        log.exception("Attached files cannot be read; models get their names only.")
        return found
    return [replace(work, history=history) for work, history in zip(found, histories, strict=True)]


def _shown_ids(runs: Sequence[Run]) -> dict[UUID, str]:
    """The ids that came with imports, as clients know them."""
    keys = [UUID(str(key)) for run in runs for key in (run.thread_id, run.assistant_id) if key]
    texts: dict[UUID, str] = ForeignId.objects.texts(keys)
    return texts


def _allowed_tools(runs: Sequence[Run]) -> Allowed:
    """The registered functions that tenants may call, None for all of them."""
    wanted = {run.tenant_id for run in runs if run.tools and run.tenant_id and not run.is_replay}
    return dict(Tenant.objects.filter(pk__in=wanted).values_list("pk", "allowed_tools")) if wanted else {}


def _earlier_rounds(runs: Sequence[Run]) -> dict[UUID, Done]:
    """What runs did before their client answered tool calls, or before their worker died."""
    started = [run.pk for run in runs if not run.is_replay]
    if not started:
        return {}
    counts: dict[UUID, int] = defaultdict(int)
    used_ids: dict[UUID, set[str]] = defaultdict(set)
    for run_id, details in RunStep.objects.filter(run_id__in=started).order_by().values_list("run_id", "details"):
        counts[run_id] += 1
        used_ids[run_id].update(str(call["id"]) for call in (details or {}).get("tool_calls") or [])
    if not counts:
        return {}
    own: dict[str, list[Json]] = defaultdict(list)
    rows = Message._base_manager.filter(run_id__in=[str(key) for key in counts], thread_id__isnull=False)
    for run_id, message in rows.order_by("thread_id", "sequence").values_list("run_id", "message"):
        own[str(run_id)].append(message or {})
    names = ("prompt_tokens", "completion_tokens", "cached_tokens", "cost", "first_token_ms", "duration_ms")
    used = {row.pop("pk"): row for row in Run.objects.filter(pk__in=counts).values("pk", *names)}
    return {
        key: Done(
            messages=own[str(key)],
            call_ids=frozenset(used_ids[key]),
            steps=count,
            **{**used[key], "duration_ms": used[key]["duration_ms"] or 0},
        )
        for key, count in counts.items()
    }


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


def _tried(
    run: Run, messages: list[tuple[int, Json]], steps: list[Json], spec: ModelSpec | AIError, allowed: Allowed
) -> Work:
    """The run's work; one with data that nobody can read fails alone, not with all that were taken together."""
    try:
        return _work(run, messages, steps, spec, allowed)
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
    agents = conf.current().agents
    originals = {run.replay_of for run in runs if run.replay_of and (run.tools or run.model in agents)}
    found: dict[Any, list[Json]] = defaultdict(list)
    if originals:
        rows = RunStep.objects.filter(run_id__in=originals, type="tool_calls").order_by("run_id", "index")
        for run_id, details in rows.values_list("run_id", "details"):
            found[run_id].append(details)
    return found


def _work(
    run: Run, messages: list[tuple[int, Json]], steps: list[Json], spec: ModelSpec | AIError, allowed: Allowed
) -> Work:
    history = [m for sequence, m in messages if run.history_until is None or sequence <= run.history_until]
    box: ToolBox = tools.Live(allowed=allowed.get(run.tenant_id), search=_search_of(run))
    offered = run.tools or []
    if run.is_replay:
        turn = [m for sequence, m in messages if (run.replay_from or 0) <= sequence <= (run.replay_to or 0)]
        recording = max(tools.recording_of(turn), tools.recording_of_steps(steps), key=len)
        box = tools.Recorded(recording, earlier=tools.recording_of(history))
        if run.replay_of is None:
            offered = offered or tools.offered_by([*history, *turn])
    if overrides_of(run).get("instructions"):
        history = without_leading_instructions(history)
    found, problem = (None, spec) if isinstance(spec, AIError) else (spec, None)
    return Work(run=run, spec=found, history=history, tools=offered, toolbox=box, problem=problem)


def _search_of(run: Run) -> FileSearch | None:
    """The run's search in its vector stores, if it may search."""
    tool = next((tool for tool in run.tools or [] if tool.get("type") == FILE_SEARCH), None)
    if tool is None or run.is_replay:
        return None
    from ai.runner.file_search import FileSearch  # noqa: PLC0415 - for the runs that search only

    stores = [key for text in (run.settings or {}).get(STORES) or [] for key in ids.keys(run.tenant_id or "", text)]
    return FileSearch(stores, tool.get(FILE_SEARCH) or {}, tenant_id=run.tenant_id)


def overrides_of(run: Run) -> Json:
    """What the replay was told to do otherwise; empty where the metadata is somebody's own."""
    overrides = run.metadata.get(OVERRIDES) if isinstance(run.metadata, dict) else None
    return overrides if isinstance(overrides, dict) else {}


def without_leading_instructions(history: list[Json]) -> list[Json]:
    """The history without the system messages that it begins with."""
    first = next((i for i, m in enumerate(history) if m.get("role") not in {"system", "developer"}), len(history))
    return history[first:]
