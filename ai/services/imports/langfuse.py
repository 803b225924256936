"""Langfuse's exports: traces (alone, or with their observations and scores), observations and scores, one or many a file.

Names come as the API writes them (`sessionId`) or as the export to storage does (`session_id`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from ai.models.feedback import THUMBS, Rating
from ai.services.imports import fields, foreign, identities, traces
from ai.services.imports.drafts import Draft, Json, Unusable
from ai.services.imports.reports import Report
from ai.services.imports.stages import Staged
from ai.services.imports.traces import Turn
from ai.services.imports.values import Document

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OBSERVED = frozenset({"GENERATION", "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING"})
_USED = {
    "prompt_tokens": ("input", "prompt_tokens", "promptTokens", "input_tokens"),
    "completion_tokens": ("output", "completion_tokens", "completionTokens", "output_tokens"),
    "total_tokens": ("total", "total_tokens", "totalTokens"),
}


def recognises(value: Any) -> bool:
    """Whether it is a trace, an observation or a score, or holds such."""
    return isinstance(value, dict) and next(_objects(value), None) is not None


def read(documents: Iterable[Document], report: Report) -> Iterator[Draft]:
    """A thread for each session, or each trace that is in none."""
    return traces.read(documents, report, sort=_sort, gather=_gather)


def _sort(value: Any) -> Iterator[tuple[str, str, str, Json]]:
    found = False
    for kind, item in _objects(value) if isinstance(value, dict) else ():
        found = True
        key = fields.identity(item)
        trace_id = key if kind == "trace" else fields.reference(item, "trace_id")
        if trace_id:
            yield kind, key, trace_id, item
    if not found:
        raise Unusable("It is no trace, observation or score.")


def _objects(value: Json) -> Iterator[tuple[str, Json]]:
    """The objects in one, with names in one spelling; a trace's own parts are objects too."""
    for name in ("data", "traces"):
        if isinstance(value.get(name), list):
            for item in value[name]:
                yield from _objects(item) if isinstance(item, dict) else ()
            return
    if isinstance(value.get("trace"), dict):
        yield from _objects(
            {**value["trace"], "observations": value.get("observations"), "scores": value.get("scores")}
        )
        return
    item = {_HUMP.sub("_", key).lower(): inside for key, inside in value.items()}
    if kind := _kind(item):
        inside = {name: item.pop(name) for name in ("observations", "scores") if isinstance(item.get(name), list)}
        yield kind, item
        for part in (part for parts in inside.values() for part in parts if isinstance(part, dict)):
            yield from _objects({"trace_id": item["id"], **part})


def _kind(item: Json) -> str:
    if "id" not in item:
        return ""
    if item.get("type") in _OBSERVED and "start_time" in item:
        return "observation"
    if "trace_id" in item and ("data_type" in item or "string_value" in item) and "value" in item | {"value": 0}:
        return "score"
    if "timestamp" in item and item.keys() & {"session_id", "input", "output", "user_id"} and "trace_id" not in item:
        return "trace"
    return ""


def _gather(trace_id: str, staged: Sequence[Staged]) -> Turn | None:
    of = {kind: [each.value for each in staged if each.kind == kind] for kind in ("trace", "observation", "score")}
    observed = sorted(of["observation"], key=lambda item: str(item.get("start_time")))
    trace = of["trace"][0] if of["trace"] else {}
    root = next((item for item in observed if not item.get("parent_observation_id")), {})
    called = [item for item in observed if item.get("type") == "GENERATION"]
    last = called[-1] if called else root
    if not (trace or observed):
        return None
    at = (
        fields.first_time(trace, ("timestamp",)) or fields.time(observed[0], "start_time")
        if observed or trace
        else None
    )
    if at is None:
        raise Unusable("It has no “timestamp”.")
    ends = [end for item in observed if (end := fields.time(item, "end_time"))]
    both = {**root, **{name: found for name, found in trace.items() if found is not None}}
    given, answered = _said(trace, last, root)
    session = identities.given(both.get("session_id"))
    return Turn(
        id=trace_id,
        thread_id=session[0] if session else trace_id,
        session=session[1] if session else "",
        at=at.isoformat(),
        ended_at=max([at, *ends]).isoformat(),
        given=given,
        answered=answered,
        model=str(next((found for name in ("model", "provided_model_name") if (found := last.get(name))), ""))[:255],
        user_id=fields.text(both, "user_id", most=255),
        tags=[str(tag) for tag in both.get("tags") or () if tag] if isinstance(both.get("tags"), list) else [],
        metadata=_metadata(trace, both),
        usage=_usage(called),
        cost=_cost(called),
        error=str(last.get("status_message") or last.get("level")) if last.get("level") == "ERROR" else "",
        scores=[score for item in of["score"] if (score := _score(item, at))],
    )


def _said(trace: Json, last: Json, root: Json) -> tuple[list[Json], list[Json]]:
    """What the model was told and what it said: the last generation knows it best, then the trace, then its root."""
    for item in (last, trace, root):
        given, answered = foreign.messages(item.get("input"), "user"), foreign.messages(item.get("output"), "assistant")
        if given and answered:
            return given, answered
    first = next((item for item in (trace, last, root) if item.get("input") or item.get("output")), {})
    return foreign.messages(first.get("input"), "user"), foreign.messages(first.get("output"), "assistant")


def _metadata(trace: Json, both: Json) -> Json:
    given = _parsed(trace.get("metadata"))
    named = {"trace_name": str(found)} if (found := both.get("trace_name") or both.get("name")) else {}
    return named | (given if isinstance(given, dict) else {})


def _parsed(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return None


def _usage(called: Sequence[Json]) -> Json:
    sums = dict.fromkeys(_USED, 0)
    for item in called:
        used = _parsed(item.get("usage_details")) or _parsed(item.get("usage"))
        flat = {name: number for name, number in item.items() if name.endswith("_tokens")}
        found = {**flat, **used} if isinstance(used, dict) else flat
        for ours, theirs in _USED.items():
            sums[ours] += next((fields.tokens(found, name) for name in theirs if found.get(name)), 0)
    sums["total_tokens"] = sums["total_tokens"] or sums["prompt_tokens"] + sums["completion_tokens"]
    return {name: min(number, fields.MOST_TOKENS) for name, number in sums.items()}


def _cost(called: Sequence[Json]) -> str:
    costs = [item.get("total_cost", item.get("calculated_total_cost")) for item in called]
    known = [float(cost) for cost in costs if isinstance(cost, int | float) and not isinstance(cost, bool)]
    return repr(sum(known)) if known else ""


def _score(item: Json, at: datetime) -> Json | None:
    value, text = item.get("value"), item.get("string_value")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    thumb: str = THUMBS.get(str(text).lower(), "")
    if item.get("data_type") == "BOOLEAN":
        thumb = Rating.UP if value in (1, True) else Rating.DOWN
    when = fields.first_time(item, ("timestamp", "created_at")) or at
    words = "" if text is None or thumb else str(text)
    return {
        "id": f"langfuse:{item['id']}",
        "at": when.isoformat(),
        "user_id": fields.text(item, "author_user_id", most=255)
        or f"{item.get('source') or 'langfuse'}:{item['id']}"[:255],
        "values": {
            "rating": str(thumb),
            "score": float(value) if is_number and value is not None else None,
            "label": str(item.get("name") or "")[:100],
            "comment": "\n".join(part for part in (words, fields.text(item, "comment")) if part),
        },
    }
