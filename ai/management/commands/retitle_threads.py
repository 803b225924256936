"""`manage.py retitle_threads`: propose titles from the shell, and apply them if wanted."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.utils import timezone

from ai import conf, ids, tenancy
from ai.exceptions import AIError
from ai.models import ChatThread, Job, JobItem, Tenant
from ai.services import actors, retitle_batches, retitles, titles, workers
from ai.services.selections import Selection
from ai.services.titling.estimates import Estimate


class Command(BaseCommand):
    """Proposes titles and tags for threads, and applies them with --apply."""

    help = "Propose titles and tags for threads; nothing changes without --apply."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the command line."""
        parser.add_argument("--thread", nargs="+", action="extend", metavar="ID", help="only these; otherwise all")
        parser.add_argument("--model", metavar="ALIAS", help="the model that writes them; “rule” for none")
        parser.add_argument("--tenant", help="only this tenant's threads: its id or its name")
        parser.add_argument("--apply", action="store_true", help="apply the proposals")
        parser.add_argument("--dry-run", action="store_true", help="print them, and write nothing at all")

    def handle(self, *args: Any, **options: Any) -> None:
        """Propose, print, and apply if wanted."""
        if options["apply"] and options["dry_run"]:
            raise CommandError("Say either --apply or --dry-run.")
        model = conf.current().title_model if options["model"] is None else options["model"]
        alias = "" if model == "rule" else model
        try:
            with self._scope(options["tenant"]):
                selection = _selection(options["thread"])
                self._expect(retitles.estimate(selection=selection, model_alias=alias), alias)
                if options["dry_run"]:
                    self._preview(selection, alias)
                else:
                    self._batch(selection, alias, apply=options["apply"])
        except AIError as error:
            raise CommandError(error.message) from error

    def _scope(self, tenant: str | None) -> Any:
        if not tenant:
            return tenancy.everything(reason="manage.py retitle_threads")
        try:
            wanted = Q(pk=ids.parse(tenant)) | Q(name=tenant)
        except AIError:
            wanted = Q(name=tenant)
        found = Tenant.objects.filter(wanted).first()
        if found is None:
            raise CommandError(f"There is no tenant {tenant!r}.")
        return tenancy.scope(found.pk)

    def _expect(self, expected: Estimate, alias: str) -> None:
        price = "price unknown" if expected.cost is None else f"about ${expected.cost:.4f}" if expected.cost else "free"
        self.stdout.write(f"{expected.threads:,} threads, {alias or 'by rule'}: {price}, {expected.tokens:,} tokens.")

    def _preview(self, selection: Selection, alias: str) -> None:
        spec = titles.model_spec(alias)
        for batch in titles.in_batches(_rows(selection)):
            found = retitles.proposals(batch, spec=spec)
            for row in batch:
                title = found[row.pk].title if row.pk in found else ""
                self._line(str(row.pk), row.name, title, "" if row.pk in found else "locked")

    def _batch(self, selection: Selection, alias: str, *, apply: bool) -> None:
        at = timezone.now()
        job = retitles.request(selection=selection.frozen(at=at), model_alias=alias, by=actors.SYSTEM, at=at)
        retitles.carry_on(job_id=job.pk, worker=workers.this(), now=timezone.now)
        job.refresh_from_db()
        if job.is_open:  # a worker was faster
            raise CommandError(f"A worker has taken the job {job.pk}; look at its page.")
        if apply and JobItem.objects.filter(job_id=job.pk, status=retitles.PROPOSED).exists():
            retitle_batches.apply(job_id=job.pk, by=actors.SYSTEM, at=timezone.now())
            self._finish(job)
        for item in JobItem.objects.filter(job_id=job.pk).order_by("position", "pk").iterator():
            self._line(item.object_id, item.data.get("old"), item.data.get("new") or "", item.status)
        self._say_cost(job)
        self.stdout.write(f"Job {job.pk}: undo or edit it on its page in the admin.")

    def _finish(self, job: Job) -> None:
        """Do what a large batch leaves to a worker."""
        job.refresh_from_db()
        if change := retitle_batches.change_of(job):
            retitle_batches.carry_on(job_id=change.pk, worker=workers.this(), now=timezone.now)

    def _say_cost(self, job: Job) -> None:
        if alias := job.data.get("model"):
            used = job.data.get("input_tokens", 0) + job.data.get("output_tokens", 0)
            cost = job.data.get("cost", "0")
            self.stdout.write(f"{alias}: {'price unknown' if cost is None else f'${cost}'}, {used:,} tokens.")

    def _line(self, key: str, old: str | None, new: str, state: str) -> None:
        self.stdout.write("  ".join(filter(None, (key, f"{old or 'Untitled'} → {new or '—'}", state and f"[{state}]"))))


def _selection(keys: list[str] | None) -> Selection:
    return Selection.of_ids("threads", keys) if keys else Selection.of_list("threads", {})


def _rows(selection: Selection) -> Iterator[ChatThread]:
    for chunk in selection.chunks():
        yield from chunk
