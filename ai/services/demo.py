"""The demo data: conversations written for this project, told as if they had just happened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction

from ai import ids, tenancy
from ai.exceptions import NotFound
from ai.models import (
    Assistant,
    ChatThread,
    DataSource,
    Feedback,
    LanguageModel,
    Message,
    ReviewQueue,
    Run,
    RunStep,
    Tenant,
)
from ai.services import audit, demo_triage
from ai.services.reviews import queues
from ai.services.selections import Selection
from ai.stores.content import text_of, tool_calls_of


@dataclass(frozen=True)
class Loaded:
    """How much was loaded."""

    tenants: int
    threads: int
    messages: int


@dataclass
class _Shelf:
    """What the threads' lines refer to by name."""

    folder: Path
    tenants: dict[str, UUID]
    tools: dict[str, list[dict[str, Any]]]
    paths: dict[str, dict[str, Any]]
    assistants: dict[tuple[UUID, str], UUID] = field(default_factory=dict)
    files: dict[tuple[UUID, str], DataSource] = field(default_factory=dict)

    def tools_of(self, given: Any) -> list[dict[str, Any]]:
        """Tool definitions given in place, or by the name of a set."""
        return list(self.tools[given]) if isinstance(given, str) else list(given or [])

    def file(self, tenant_id: UUID, name: str) -> DataSource:
        """The tenant's file of this name, added when it is first asked for."""
        key = (tenant_id, name)
        if key not in self.files:
            entry = self.paths[name]
            with (self.folder / entry["path"]).open("rb") as opened:
                row = DataSource.objects.add_file(opened, name, entry["purpose"], tenant_id)
            self.files[key] = row
        return self.files[key]


def load(*, folder: Path, by: Any, at: datetime, only_if_empty: bool = False) -> Loaded | None:
    """Load the demo conversations in `folder`, the latest of them just before `at`; None when there was data already.

    Raises:
        NotFound: the folder holds no demo data.
    """
    if not (folder / "tenants.json").is_file():
        raise NotFound(f"There is no demo data in {folder.name}: tenants.json is missing.")
    with transaction.atomic(), tenancy.everything(reason="loading the demo data"):
        if only_if_empty and (ChatThread.objects.exists() or Tenant.objects.exists()):
            return None
        shelf = _shelf(folder)
        _language_models(folder)
        _assistants(shelf)
        threads = messages = 0
        for line in _lines(folder):
            row = _thread(shelf, line, at=at)
            threads, messages = threads + 1, messages + row.message_count
        demo_triage.load(folder / "triage.json", at=at)
        _review_queues(shelf, by=by, at=at)
        audit.record("demo.loaded", by=by, at=at, threads=threads, messages=messages)
    return Loaded(len(shelf.tenants), threads, messages)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _shelf(folder: Path) -> _Shelf:
    tenants = {}
    for entry in _read(folder / "tenants.json"):
        row, _ = Tenant.objects.get_or_create(id=UUID(entry["id"]), defaults={"name": entry["name"]})
        tenants[entry["key"]] = row.pk
    files = {entry["name"]: entry for entry in _read(folder / "files.json")}
    return _Shelf(folder, tenants, _read(folder / "tools.json"), files)


def _language_models(folder: Path) -> None:
    for entry in _read(folder / "language_models.json"):
        values = {**entry}
        for price in ("input_price", "output_price", "cached_price"):
            values[price] = Decimal(entry[price]) if entry.get(price) is not None else None
        LanguageModel.objects.get_or_create(alias=values.pop("alias"), defaults=values)


def _assistants(shelf: _Shelf) -> None:
    for entry in _read(shelf.folder / "assistants.json"):
        tenant_id = shelf.tenants[entry["tenant"]]
        values = {name: entry.get(name, "") for name in ("name", "model", "instructions")}
        tools = shelf.tools_of(entry.get("tools"))
        row, _ = Assistant.objects.get_or_create(
            id=UUID(entry["id"]), defaults={**values, "tenant_id": tenant_id, "tools": tools}
        )
        shelf.assistants[tenant_id, entry["name"]] = row.pk


def _review_queues(shelf: _Shelf, *, by: Any, at: datetime) -> None:
    for entry in _read(shelf.folder / "review_queues.json"):
        tenant_id, most = shelf.tenants[entry.pop("tenant")], entry.pop("threads")
        if ReviewQueue.objects.filter(tenant_id=tenant_id, name=entry["name"]).exists():
            continue
        made = queues.make(**entry, tenant_id=tenant_id, by=by, at=at)
        rows = ChatThread.objects.filter(tenant_id=tenant_id).latest_first().values_list("pk", flat=True)
        chosen = Selection.of_ids("threads", rows[:most])
        queues.fill(queue_id=made.pk, selection=chosen, by=by, at=at)


def _thread(shelf: _Shelf, line: dict[str, Any], *, at: datetime) -> ChatThread:
    tenant_id = shelf.tenants[line["tenant"]]
    found: ChatThread | None = ChatThread.objects.filter(pk=UUID(line["id"])).first()
    if found:
        return found  # loaded before
    said = line["messages"]
    end = at - timedelta(days=line["days_ago"])
    start = end - timedelta(seconds=max(m["seconds"] for m in said))
    thread = ChatThread(
        id=UUID(line["id"]),
        tenant_id=tenant_id,
        name=line["name"],
        tags=line["tags"],
        user_id=line["user_id"],
        external_id=line["external_id"],
        sync_state="linked" if line["external_id"] else "local",
        source="demo",
        model=line["runs"][-1]["model"] if line["runs"] else "",
        message_count=len(said),
        last_sequence=len(said),
        created=start,
        modified=end,
        last_activity_at=end,
        has_files=any(m.get("attachments") for m in said),
    )
    ChatThread.objects.insert(thread)
    runs = [_run(shelf, thread, entry, start=start) for entry in line["runs"]]
    rows = _messages(shelf, thread, said, _owners(line["runs"], runs), start=start)
    Run.objects.insert(runs)
    for entry, run in zip(line["runs"], runs, strict=True):
        RunStep.objects.write(_steps(run, rows[_span(entry)]))
    _feedback(rows, said)
    return thread


def _span(entry: dict[str, Any]) -> slice:
    """Where the run's messages stand; empty for a run that failed before it wrote any."""
    return slice(0, 0) if entry["to"] is None else slice(entry["from"], entry["to"] + 1)


def _owners(entries: list[dict[str, Any]], runs: list[Run]) -> dict[int, Run]:
    """Which run wrote the message at an index."""
    owners = {}
    for entry, run in zip(entries, runs, strict=True):
        if entry["to"] is not None:
            owners.update(dict.fromkeys(range(entry["from"], entry["to"] + 1), run))
    return owners


def _run(shelf: _Shelf, thread: ChatThread, entry: dict[str, Any], *, start: datetime) -> Run:
    begun = start + timedelta(seconds=entry["seconds"])
    ended = begun + timedelta(milliseconds=entry["duration_ms"] or 0)
    error = entry.get("error") or {}
    settings = {"temperature": entry["temperature"]} if entry.get("temperature") is not None else {}
    return Run(
        thread_id=str(thread.pk),
        tenant_id=thread.tenant_id,
        assistant_id=shelf.assistants.get((UUID(str(thread.tenant_id)), entry.get("assistant") or "")),
        model=entry["model"],
        response_model=entry["model"],
        instructions=entry.get("instructions") or "",
        tools=shelf.tools_of(entry.get("tools")),
        settings=settings,
        history_until=entry["from"],
        status=entry["status"],
        error_code=error.get("code", ""),
        error_message=error.get("message", ""),
        incomplete_reason="max_completion_tokens" if entry["status"] == "incomplete" else "",
        prompt_tokens=entry["prompt_tokens"],
        completion_tokens=entry["completion_tokens"],
        cached_tokens=entry["cached_tokens"],
        total_tokens=entry["prompt_tokens"] + entry["completion_tokens"],
        cost=Decimal(entry["cost"]) if entry.get("cost") is not None else None,
        first_token_ms=entry["ttft_ms"],
        duration_ms=entry["duration_ms"],
        attempt=1,
        started_at=begun,
        ended_at=ended,
        created=begun,
        modified=ended,
    )


def _messages(
    shelf: _Shelf, thread: ChatThread, said: list[dict[str, Any]], owners: dict[int, Run], *, start: datetime
) -> list[Message]:
    rows, references = [], {}
    for index, entry in enumerate(said):
        message = {k: v for k, v in entry.items() if k not in {"seconds", "feedback", "attachments"}}
        if entry.get("attachments"):
            files = [shelf.file(UUID(str(thread.tenant_id)), name) for name in entry["attachments"]]
            message["attachments"] = [{"file_id": file.file_id, "name": file.name} for file in files]
            references.update({file.file_id: file.attachment_reference() for file in files})
        run = owners.get(index)
        when = start + timedelta(seconds=entry["seconds"])
        row = Message.objects.build(message, thread=thread, sequence=index + 1, at=when, run_id=run.pk if run else None)
        rows.append(row)
    Message.objects.insert(rows)
    if references:
        thread.attach(list(references.values()))
        thread.save(update_fields=["data", "has_files"])
    return rows


def _steps(run: Run, rows: list[Message]) -> list[RunStep]:
    steps: list[RunStep] = []
    results = {(row.message or {}).get("tool_call_id"): text_of(row.message) for row in rows if row.role == "tool"}
    details: dict[str, Any]
    for row in (row for row in rows if row.role == "assistant"):
        calls = tool_calls_of(row.message)
        if text_of(row.message):
            details = {"type": "message_creation", "message_creation": {"message_id": ids.public("message", row.pk)}}
            steps.append(_step(run, row, len(steps), "message_creation", details))
        if calls:
            made = [
                {
                    "id": call["id"],
                    "type": "function",
                    "function": {
                        "name": call["name"],
                        "arguments": call["arguments"],
                        "output": results.get(call["id"]),
                    },
                }
                for call in calls
            ]
            details = {"type": "tool_calls", "tool_calls": made}
            steps.append(_step(run, row, len(steps), "tool_calls", details))
    return steps


def _step(run: Run, row: Message, index: int, kind: str, details: dict[str, Any]) -> RunStep:
    return RunStep(
        run_id=run.pk,
        thread_id=run.thread_id,
        tenant_id=run.tenant_id,
        index=index,
        type=kind,
        status="completed",
        details=details,
        started_at=row.created,
        ended_at=row.created,
    )


def _feedback(rows: list[Message], said: list[dict[str, Any]]) -> None:
    for row, entry in zip(rows, said, strict=True):
        for given in entry.get("feedback", []):
            when = row.created + timedelta(minutes=3)
            values = {name: given.get(name) for name in ("rating", "score", "comment", "label")}
            kept = Feedback.objects.give(message=row, feedback=values, user_id=given["user_id"], at=when)
            if given.get("state", "open") != "open":
                Feedback.objects.move(kept.pk, state=given["state"], by="demo", at=when)
