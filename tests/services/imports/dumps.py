"""Objects of the Assistants API as the API gave them, and dumps made of these."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Json = dict[str, Any]

#: 2024-05-01T12:00:00Z
BEGAN = 1_714_564_800


def assistant(key: str = "abc", /, **values: Any) -> Json:
    return {
        "id": f"asst_{key}",
        "object": "assistant",
        "created_at": BEGAN - 100,
        "name": "Weather",
        "description": None,
        "model": "gpt-4o",
        "instructions": "You know the weather.",
        "tools": [tool("get_weather")],
        "tool_resources": {},
        "metadata": {"team": "sky"},
        "temperature": 0.5,
        "top_p": 1.0,
        "response_format": "auto",
        **values,
    }


def tool(name: str) -> Json:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}


def thread(key: str = "abc", /, **values: Any) -> Json:
    return {
        "id": f"thread_{key}",
        "object": "thread",
        "created_at": BEGAN,
        "metadata": {"customer": "7"},
        "tool_resources": {},
        **values,
    }


def message(name: str, text: str = "Hello", *, of: str = "abc", role: str = "user", at: int = 0, **values: Any) -> Json:
    return {
        "id": f"msg_{name}",
        "object": "thread.message",
        "created_at": BEGAN + at,
        "thread_id": f"thread_{of}",
        "role": role,
        "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
        "attachments": [],
        "assistant_id": "asst_abc" if role == "assistant" else None,
        "run_id": None,
        "metadata": {},
        **values,
    }


def run(name: str = "abc", *, of: str = "abc", at: int = 0, **values: Any) -> Json:
    return {
        "id": f"run_{name}",
        "object": "thread.run",
        "created_at": BEGAN + at,
        "thread_id": f"thread_{of}",
        "assistant_id": "asst_abc",
        "status": "completed",
        "started_at": BEGAN + at,
        "expires_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": BEGAN + at + 3,
        "required_action": None,
        "last_error": None,
        "incomplete_details": None,
        "model": "gpt-4o",
        "instructions": "You know the weather.",
        "tools": [tool("get_weather")],
        "metadata": {"trace": "1"},
        "usage": {"prompt_tokens": 120, "completion_tokens": 30, "total_tokens": 150},
        "temperature": 0.5,
        "top_p": 1.0,
        "max_prompt_tokens": None,
        "max_completion_tokens": 1000,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "response_format": "auto",
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        **values,
    }


def step(name: str, details: Json, *, of: str = "abc", run: str = "abc", at: int = 0, **values: Any) -> Json:
    return {
        "id": f"step_{name}",
        "object": "thread.run.step",
        "created_at": BEGAN + at,
        "run_id": f"run_{run}",
        "assistant_id": "asst_abc",
        "thread_id": f"thread_{of}",
        "type": details["type"],
        "status": "completed",
        "cancelled_at": None,
        "completed_at": BEGAN + at + 1,
        "expired_at": None,
        "failed_at": None,
        "last_error": None,
        "step_details": details,
        "usage": {"prompt_tokens": 60, "completion_tokens": 15, "total_tokens": 75},
        **values,
    }


def writing(name: str) -> Json:
    return {"type": "message_creation", "message_creation": {"message_id": f"msg_{name}"}}


def calling(*calls: tuple[str, str, str | None]) -> Json:
    """Step details of calls of `get_weather`, given as id, arguments and output."""
    made = [
        {"id": key, "type": "function", "function": {"name": "get_weather", "arguments": arguments, "output": output}}
        for key, arguments, output in calls
    ]
    return {"type": "tool_calls", "tool_calls": made}


def file(name: str, **values: Any) -> Json:
    return {
        "id": f"file-{name}",
        "object": "file",
        "bytes": 1234,
        "created_at": BEGAN - 50,
        "filename": f"{name}.csv",
        "purpose": "assistants",
        **values,
    }


def talk(name: str = "abc", *, turns: int = 1) -> tuple[list[Json], list[Json], list[Json]]:
    """Messages, runs and steps of questions about the weather, each answered after a call."""
    messages, runs, steps = [], [], []
    for turn in range(turns):
        key, at = (name if turn == 0 else f"{name}x{turn}"), turn * 60
        messages += [
            message(f"{key}q", f"What is the weather in city {turn}?", of=name, at=at),
            message(f"{key}a", f"It rains {turn} mm.", of=name, role="assistant", at=at + 4, run_id=f"run_{key}"),
        ]
        runs.append(run(key, of=name, at=at + 1))
        call = calling((f"call_{key}", f'{{"city": {turn}}}', f"{turn} mm"))
        steps += [
            step(f"{key}1", call, of=name, run=key, at=at + 2),
            step(f"{key}2", writing(f"{key}a"), of=name, run=key, at=at + 4),
        ]
    return messages, runs, steps


def export(
    *,
    messages: Iterable[Json],
    runs: Iterable[Json] = (),
    steps: Iterable[Json] = (),
    files: Iterable[Json] = (),
    **values: Any,
) -> Json:
    """A file of a thread in the layout `assistants-thread-export/v1`."""
    steps = list(steps)
    own = values.pop("thread", None) or thread()
    return {
        "export_schema": "assistants-thread-export/v1",
        "thread_id": own["id"],
        "exported_at": "2026-08-20T10:00:00+00:00",
        "thread": own,
        "messages": list(messages),
        "runs": [{**each, "steps": [s for s in steps if s["run_id"] == each["id"]]} for each in runs],
        "files": {each["id"]: each for each in files},
        "errors": [],
        **values,
    }


def folder(at: Path, *exports: Json, assistants: Iterable[Json] = ()) -> Path:
    """A dump as the exporter lays it out."""
    manifest = {
        "export_schema": "assistants-export-manifest/v1",
        "threads_exported": len(exports),
        "threads_failed": [],
    }
    (at / "threads").mkdir(parents=True)
    (at / "manifest.json").write_text(json.dumps(manifest))
    (at / "assistants.json").write_text(json.dumps(list(assistants)))
    for each in exports:
        (at / "threads" / f"{each['thread_id']}.json").write_text(json.dumps(each, indent=2))
    return at


def lines(at: Path, *objects: Any) -> Path:
    """A file with one object a line."""
    at.write_text("".join(f"{json.dumps(each)}\n" for each in objects))
    return at
