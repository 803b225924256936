"""LangSmith's exports: runs (JSONL, an array, or an answer of its API), and examples of data sets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ai.services.imports import fields, foreign, identities, traces
from ai.services.imports.drafts import Draft, Json, Unusable
from ai.services.imports.reports import Report
from ai.services.imports.stages import Staged
from ai.services.imports.traces import Turn
from ai.services.imports.values import Document

#: What applications call the conversation that a run belongs to.
_THREADS = ("session_id", "thread_id", "conversation_id")
_MODELS = ("ls_model_name", "model_name", "model")
_USED = ("prompt_tokens", "completion_tokens", "total_tokens")


def recognises(value: Any) -> bool:
    """Whether it is a run, an example, or holds such."""
    return isinstance(value, dict) and next(_objects(value), None) is not None


def read(documents: Iterable[Document], report: Report) -> Iterator[Draft]:
    """A thread for the traces of one conversation, or for each trace that names none."""
    return traces.read(documents, report, sort=_sort, gather=_gather)


def _sort(value: Any) -> Iterator[tuple[str, str, str, Json]]:
    found = False
    for item in _objects(value) if isinstance(value, dict) else ():
        found = True
        key = fields.identity(item) if item.get("id") else f"example-{identities.digest(item)}"
        yield "run", key, fields.reference(item, "trace_id") or key, item
    if not found:
        raise Unusable("It is no run and no example.")


def _objects(value: Json) -> Iterator[Json]:
    for name in ("runs", "data", "examples"):
        if isinstance(value.get(name), list):
            for item in value[name]:
                yield from _objects(item) if isinstance(item, dict) else ()
            return
    is_run = "run_type" in value and "inputs" in value
    is_example = "inputs" in value and "outputs" in value
    if is_run or is_example:
        children = value.get("child_runs")
        yield {name: item for name, item in value.items() if name != "child_runs"}
        for child in children if isinstance(children, list) else ():
            if isinstance(child, dict):
                yield from _objects({"trace_id": value.get("trace_id") or value.get("id"), **child})


def _gather(trace_id: str, staged: Sequence[Staged]) -> Turn | None:
    runs = sorted((each.value for each in staged), key=lambda run: str(run.get("start_time")))
    root = next((run for run in runs if not run.get("parent_run_id")), runs[0])
    called = [run for run in runs if run.get("run_type") == "llm"]
    last = called[-1] if called else root
    at = fields.first_time(root, ("start_time", "created_at"))
    if at is None:
        raise Unusable("It has no “start_time”.")
    ends = [end for run in runs if (end := fields.time(run, "end_time"))]
    metadata = {**_metadata(last), **_metadata(root)}
    named = identities.given(next((found for name in _THREADS if (found := metadata.get(name))), None))
    given, answered = _said(root, last)
    error = root.get("error") or ""
    return Turn(
        id=trace_id,
        thread_id=named[0] if named else trace_id,
        session=named[1] if named else "",
        at=at.isoformat(),
        ended_at=max([at, *ends]).isoformat(),
        given=given,
        answered=answered,
        model=_model(last, metadata),
        user_id=str(metadata.get("user_id") or "")[:255],
        tags=[str(tag) for tag in root["tags"]] if isinstance(root.get("tags"), list) else [],
        metadata={"run_name": str(root["name"])} if root.get("name") else {},
        usage=_usage(called or [root]),
        cost=str(root.get("total_cost") or ""),
        error=error if isinstance(error, str) else json.dumps(error),
    )


def _said(root: Json, last: Json) -> tuple[list[Json], list[Json]]:
    """What was asked and answered: the whole call knows it where its input and output are words, else the last model."""
    for run in (root, last):
        given = foreign.messages(run.get("inputs"), "user")
        answered = foreign.messages(run.get("outputs"), "assistant")
        if given and answered:
            return given, _after(given, answered)
    return foreign.messages(root.get("inputs"), "user"), foreign.messages(root.get("outputs"), "assistant")


def _after(given: list[Json], answered: list[Json]) -> list[Json]:
    """The answers without the history that some applications return with them."""
    same = 0
    while same < min(len(given), len(answered)) and identities.digest(given[same]) == identities.digest(answered[same]):
        same += 1
    return answered[same:] or answered[-1:]


def _metadata(run: Json) -> Json:
    extra = run.get("extra")
    inside = extra.get("metadata") if isinstance(extra, dict) else None
    own = run.get("metadata")
    return {**(own if isinstance(own, dict) else {}), **(inside if isinstance(inside, dict) else {})}


def _model(run: Json, metadata: Json) -> str:
    extra = run.get("extra")
    invoked = extra.get("invocation_params") if isinstance(extra, dict) else None
    places = (metadata, invoked if isinstance(invoked, dict) else {})
    return next((str(place[name])[:255] for place in places for name in _MODELS if place.get(name)), "")


def _usage(called: Sequence[Json]) -> Json:
    sums = {name: sum(fields.tokens(run, name) for run in called) for name in _USED}
    sums["total_tokens"] = sums["total_tokens"] or sums["prompt_tokens"] + sums["completion_tokens"]
    return {name: min(number, fields.MOST_TOKENS) for name, number in sums.items()}
