"""The steps of a run as its page shows them: messages, functions called, files searched, code run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ai import ids
from ai.admin.parts import badges, tools
from ai.models import Run, RunStep
from ai.services import rendering

MOST_RESULTS = 50
EXCERPT_CHARACTERS = 600


def of_run(run: Run, *, most: int) -> list[dict[str, Any]]:
    """The run's steps: two queries, the second where files are named."""
    rows = list(RunStep.objects.of_run(run.pk)[:most])
    wanted = [text for row in rows for call in _calls(row) for text in _files_of(call)]
    known = {file["key"]: file for file in tools.files(wanted, tenant_id=run.tenant_id)}
    return [_shown(row, known, waits=run.status == "requires_action") for row in rows]


def waiting_for(run: Run) -> list[dict[str, Any]]:
    """The tool calls whose outputs the run waits for."""
    action = run.required_action if isinstance(run.required_action, dict) else {}
    inner = action.get("submit_tool_outputs")
    calls = inner.get("tool_calls") if isinstance(inner, dict) else None
    found = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return [{**_function(call), "id": rendering.visible(str(call.get("id") or ""))} for call in found]


def _calls(row: RunStep) -> list[dict[str, Any]]:
    details = row.details if isinstance(row.details, dict) else {}
    given = details.get("tool_calls")
    return [call for call in given if isinstance(call, dict)] if isinstance(given, list) else []


def _inner(call: Mapping[str, Any]) -> dict[str, Any]:
    inner = call.get(str(call.get("type")))
    return inner if isinstance(inner, dict) else {}


def _dicts(given: Any) -> list[dict[str, Any]]:
    return [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []


def _files_of(call: dict[str, Any]) -> Iterable[str]:
    """The files that a call names: those found, and pictures that code made."""
    inner = _inner(call)
    named = [result.get("file_id") for result in _dicts(inner.get("results"))]
    named += [(output.get("image") or {}).get("file_id") for output in _dicts(inner.get("outputs"))]
    return [text for text in named if isinstance(text, str)]


def _shown(row: RunStep, files: Mapping[str, Any], *, waits: bool) -> dict[str, Any]:
    took = (row.ended_at - row.started_at).total_seconds() * 1000 if row.ended_at and row.started_at else None
    usage = row.usage if isinstance(row.usage, dict) else {}
    details = row.details if isinstance(row.details, dict) else {}
    error = row.error if isinstance(row.error, dict) else {}
    return {
        "step": row,
        "tone": badges.TONES.get(row.status, "gray"),
        "duration": badges.duration(round(took)) if took else "",
        "tokens": usage.get("total_tokens"),
        "waits": waits and row.status == "in_progress",
        "message_url": _message_url(row, details.get("message_creation")),
        "calls": [_call(call, files) for call in _calls(row)],
        "error": rendering.visible(str(error.get("message") or error.get("code") or "")),
    }


def _message_url(row: RunStep, made: Any) -> str:
    """The page of the message that the step wrote."""
    text = made.get("message_id") if isinstance(made, dict) else None
    if not isinstance(text, str) or not text or row.tenant_id is None or row.status != "completed":
        return ""
    return badges.url("ai_message_change", ids.keys(row.tenant_id, text)[0])


def _call(call: dict[str, Any], files: Mapping[str, Any]) -> dict[str, Any]:
    kind = call.get("type")
    if kind == "file_search":
        results = [_result(each, files) for each in _dicts(_inner(call).get("results"))[:MOST_RESULTS]]
        return {"kind": kind, "name": "File search", "icon": "find_in_page", "results": results}
    if kind == "code_interpreter":
        return _code(call, files)
    return _function(call)


def _function(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"] if isinstance(call.get("function"), dict) else call
    name = str(function.get("name") or call.get("type") or "tool")
    arguments, output = function.get("arguments"), function.get("output")
    return {
        "kind": "function",
        "name": rendering.visible(name),
        "icon": "function",
        "who": tools.who_answers(name),
        "brief": rendering.visible(str(arguments or ""))[:160],
        "arguments": rendering.json_text(arguments or "{}"),
        "output": rendering.json_text(output) if output is not None else "",
        "is_waiting": output is None,
    }


def _result(result: dict[str, Any], files: Mapping[str, Any]) -> dict[str, Any]:
    key = str(result.get("file_id") or "")
    known = files.get(key) or {"name": "", "url": "", "is_gone": True}
    score = result.get("score")
    text = "\n\n".join(str(part.get("text") or "") for part in _dicts(result.get("content")))
    return {
        "name": rendering.visible(str(known["name"] if not known["is_gone"] else result.get("file_name") or key)),
        "url": known["url"],
        "is_gone": known["is_gone"],
        "score": f"{score:.2f}" if isinstance(score, int | float) else "",
        "percent": round(min(max(float(score), 0.0), 1.0) * 100) if isinstance(score, int | float) else 0,
        "text": rendering.visible(text[:EXCERPT_CHARACTERS]),
        "is_cut": len(text) > EXCERPT_CHARACTERS,
    }


def _code(call: dict[str, Any], files: Mapping[str, Any]) -> dict[str, Any]:
    inner = _inner(call)
    outputs = _dicts(inner.get("outputs"))
    logs = [str(output["logs"]) for output in outputs if isinstance(output.get("logs"), str)]
    pictures = [str((output.get("image") or {}).get("file_id")) for output in outputs if output.get("type") == "image"]
    return {
        "kind": "code_interpreter",
        "name": "Code interpreter",
        "icon": "terminal",
        "input": rendering.code(str(inner.get("input") or ""), "python"),
        "logs": rendering.code("\n".join(logs)) if logs else "",
        "files": [files[key] for key in pictures if key in files],
    }
