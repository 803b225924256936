"""`manage.py sync_threads`: bring threads in step with their remote sides, from the shell."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from ai import ids, tenancy
from ai.exceptions import AIError, NotFound
from ai.models import ChatThread, Job, JobItem, Tenant
from ai.models.remotes import kind_of
from ai.services import actors, connections, jobs, workers
from ai.services.selections import Selection
from ai.services.sync import requests

POLL_SECONDS = 0.5


class Command(BaseCommand):
    """Syncs threads that have a remote side: all of them, or some."""

    help = "Bring threads in step with their remote sides. Ends with 1 when a thread could not be synced."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the command line."""
        parser.add_argument(
            "--thread", action="append", default=[], metavar="ID", help="a thread, or its remote ID; may be repeated"
        )
        parser.add_argument("--connection", metavar="NAME", help="only threads of this connection")
        ways = parser.add_mutually_exclusive_group()
        for way, what in (("pull", "fetch only"), ("push", "send only"), ("both", "fetch and send (the default)")):
            ways.add_argument(f"--{way}", action="store_const", const=way, dest="direction", help=what)
        parser.add_argument("--since", metavar="DAY", help="only threads active since: 2026-05-04, or 7d, 12h")
        parser.add_argument("--whole", action="store_true", help="read every thread to its beginning")
        parser.add_argument("--tenant", help="only this tenant's threads: its id or its name")

    def handle(self, *args: Any, **options: Any) -> None:
        """Queue the sync, do it or wait for the worker that does, and print what came of it."""
        try:
            with self._scope(options["tenant"]):
                job = self._request(options)
                self._wait(job)
                self._report(job)
        except AIError as error:
            raise CommandError(error.message) from error

    def _scope(self, tenant: str | None) -> Any:
        if not tenant:
            return tenancy.everything(reason="manage.py sync_threads")
        key = _uuid(tenant)
        found = Tenant.objects.filter(Q(name=tenant) | Q(pk=key) if key else Q(name=tenant)).first()
        if found is None:
            raise CommandError(f"There is no tenant {tenant!r}.")
        return tenancy.scope(found.pk)

    def _request(self, options: dict[str, Any]) -> Job:
        connection = connections.named(options["connection"]) if options["connection"] else None
        at = timezone.now()
        here, elsewhere = _told_apart(options["thread"])
        if elsewhere and connection is None:
            raise CommandError(f"{elsewhere[0]} is not here yet: say with --connection where it is.")
        if elsewhere and connection is not None:
            wanted = [*elsewhere, *_external(here)]
            return requests.bring_in(external_ids=wanted, connection_id=connection.pk, by=actors.SYSTEM, at=at)
        selection = Selection.of_ids("threads", here) if here else Selection.of_list("threads", {})
        return requests.request(
            selection=selection,
            direction=options["direction"] or "both",
            connection_id=connection.pk if connection else None,
            since=_since(options["since"], at=at) if options["since"] else None,
            whole=options["whole"],
            by=actors.SYSTEM,
            at=at,
        )

    def _wait(self, job: Job) -> None:
        while job.is_open:
            jobs.carry_on(job_id=job.pk, worker=workers.this(), now=timezone.now)
            job.refresh_from_db()
            if job.is_open:  # a worker was quicker
                time.sleep(POLL_SECONDS)

    def _report(self, job: Job) -> None:
        for item in JobItem.objects.filter(job_id=job.pk).order_by("position").iterator():
            name = item.data.get("external_id") or item.object_id
            self.stdout.write(f"{name}  {item.error or item.data.get('new', '')}")
        self.stdout.write(f"{job.get_status_display()}: {job.done} synced, {job.failed} failed, of {job.total}.")
        if job.failed:
            raise CommandError(f"{job.failed} of {job.total} threads could not be synced.")


def _told_apart(texts: list[str]) -> tuple[list[UUID], list[str]]:
    """The threads that are here, by our id or by their remote one, and the remote ids that are not."""
    here, elsewhere = [], []
    for text in texts:
        known = _find(text)
        if known is not None:
            here.append(known)
        elif kind_of(text):
            elsewhere.append(text)
        else:
            raise NotFound(f"There is no thread {text!r}.")
    return here, elsewhere


def _find(text: str) -> UUID | None:
    key = _uuid(text)
    which = Q(external_id=text) | Q(pk=key) if key else Q(external_id=text)
    found: UUID | None = ChatThread.objects.filter(which).values_list("pk", flat=True).first()
    return found


def _external(keys: list[UUID]) -> list[str]:
    rows = ChatThread.objects.filter(pk__in=keys, external_id__isnull=False)
    return [str(text) for text in rows.values_list("external_id", flat=True)]


def _uuid(text: str) -> UUID | None:
    try:
        return ids.parse(text)
    except AIError:
        return None


def _since(text: str, *, at: datetime) -> datetime:
    """A moment: a day, a time, or so many days or hours ago."""
    number, unit = text[:-1], text[-1:]
    if number.isdigit() and unit in {"d", "h"}:
        return at - timedelta(days=int(number) if unit == "d" else 0, hours=int(number) if unit == "h" else 0)
    try:
        day = parse_date(text)
        found = datetime(day.year, day.month, day.day) if day else parse_datetime(text)  # noqa: DTZ001 - made aware below
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"{text!r} is no day; write it as 2026-05-04, or 7d, or 12h.")
    return found if timezone.is_aware(found) else timezone.make_aware(found)
