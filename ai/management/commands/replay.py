"""`manage.py replay ID… --model ALIAS`: replay answers from the shell."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.utils import timezone

from ai import ids, tenancy
from ai.exceptions import AIError
from ai.models import ChatThread, Job, Run, Tenant
from ai.services import actors, jobs, replays, runs, workers
from ai.services.comparisons import text_of_answer

POLL_SECONDS = 0.5
COLUMNS = ("run", "model", "status", "tokens", "cost", "first token", "duration")


class Command(BaseCommand):
    """Replays the last answer of threads, or the answers of runs, on one or more models."""

    help = "Replay the last answer of threads, or the answers of runs, on one or more models."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the command line."""
        parser.add_argument("ids", nargs="+", metavar="ID", help="a thread or a run: a UUID, thread_… or run_…")
        parser.add_argument("--model", action="append", required=True, metavar="ALIAS", help="may be repeated")
        parser.add_argument("--instructions", help="replace the original instructions")
        parser.add_argument("--temperature", type=float, help="replace the original temperature, 0 to 2")
        parser.add_argument("--key", default="", help="the same key again makes no second replay")
        parser.add_argument("--tenant", help="only this tenant's conversations: its id or its name")
        parser.add_argument(
            "--wait", action="store_true", help="until the replays have ended; without a worker, do them"
        )
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Queue the replays, wait if asked to, and print them."""
        try:
            with self._scope(options["tenant"]):
                job = self._request(options)
                if options["wait"]:
                    self._wait(job)
                self._report(job, as_json=options["json"])
        except AIError as error:
            raise CommandError(error.message) from error

    def _scope(self, tenant: str | None) -> Any:
        if not tenant:
            return tenancy.everything(reason="manage.py replay")
        key = _uuid(tenant)
        found = Tenant.objects.filter(Q(name=tenant) | Q(pk=key) if key else Q(name=tenant)).first()
        if found is None:
            raise CommandError(f"There is no tenant {tenant!r}.")
        return tenancy.scope(found.pk)

    def _request(self, options: dict[str, Any]) -> Job:
        return replays.request(
            targets=[_target(text) for text in options["ids"]],
            model_aliases=options["model"],
            instructions=options["instructions"],
            temperature=options["temperature"],
            key=options["key"],
            by=actors.SYSTEM,
            at=timezone.now(),
        )

    def _wait(self, job: Job) -> None:
        while job.is_open:
            alive = workers.is_any_alive(at=timezone.now())
            if alive or not runs.drain(worker=workers.this(), now=timezone.now, job_id=job.pk):
                time.sleep(POLL_SECONDS)
            jobs.settle(job_ids=[job.pk], at=timezone.now())
            job.refresh_from_db()

    def _report(self, job: Job, *, as_json: bool) -> None:
        found = list(Run.objects.filter(job_id=job.pk).order_by("created", "pk"))
        if as_json:
            told = {"job": str(job.pk), "status": job.status, "total": job.total, "runs": [_as_json(r) for r in found]}
            self.stdout.write(json.dumps(told, ensure_ascii=False, indent=2))
            return
        rows = [COLUMNS, *(_row(run) for run in found)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
        for row in rows:
            self.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        for run in found:
            if run.error_message:
                self.stdout.write(f"{ids.public('run', run.pk)}: {run.error_message}")
        self.stdout.write(f"{job.get_status_display()}: {job.done} answered, {job.failed} failed, of {job.total}.")


def _uuid(text: str) -> UUID | None:
    try:
        return ids.parse(text)
    except AIError:
        return None


def _target(text: str) -> replays.Target:
    key = ids.parse(text)
    if not text.startswith(ids.PREFIXES["run"]) and ChatThread.objects.filter(pk=key).exists():
        return replays.Target(thread_id=key)
    run = Run.objects.filter(pk=key).first()
    if run is None:
        raise CommandError(f"There is no thread and no run {text!r}.")
    return replays.Target(thread_id=UUID(str(run.thread_id)), run_id=run.pk)


def _row(run: Run) -> tuple[str, ...]:
    cost = "" if run.cost is None else f"${run.cost:.6f}"
    times = ("" if ms is None else f"{ms / 1000:.2f} s" for ms in (run.first_token_ms, run.duration_ms))
    return (ids.public("run", run.pk), run.model, run.status, f"{run.total_tokens:,}", cost, *times)


def _as_json(run: Run) -> dict[str, Any]:
    return {
        "id": ids.public("run", run.pk),
        "thread_id": ids.public("thread", str(run.replay_of_thread)),
        "replay_of": ids.public("run", run.replay_of) if run.replay_of else None,
        "model": run.model,
        "status": run.status,
        "answer": text_of_answer(run.output or []),
        "messages": run.output,
        "error": {"code": run.error_code, "message": run.error_message} if run.error_code else None,
        "usage": {
            "prompt_tokens": run.prompt_tokens,
            "completion_tokens": run.completion_tokens,
            "cached_tokens": run.cached_tokens,
            "total_tokens": run.total_tokens,
        },
        "cost": None if run.cost is None else str(run.cost),
        "first_token_ms": run.first_token_ms,
        "duration_ms": run.duration_ms,
    }
