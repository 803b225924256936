"""Runs: one model answering one thread once, and replays of it.

The database is the truth about pending work. A worker takes a run by one conditional UPDATE that sets a lease; who holds
the lease, and only they, may end the run; an expired lease gives it back to the queue.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db import IntegrityError, connections, models, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from ai import conf, ids
from ai.exceptions import LeaseLost, NotFound, RunNotActive, ThreadBusy
from ai.models.base import TenantRecord
from ai.models.endings import RUN, Ending
from ai.models.foreign_ids import ForeignId
from ai.models.run_states import ACTIVE, FAILURES, FINAL, HELD, WAITING, RunQuerySet, RunStatus
from ai.models.run_steps import RunStep, StepStatus
from ai.tenancy import TenantModelManagerMixin

__all__ = ["ACTIVE", "FINAL", "HELD", "WAITING", "Run", "RunManager", "RunQuerySet", "RunStatus"]


#: What becomes of a step that is open when its run ends so.
_STEP = {RunStatus.CANCELLED: StepStatus.CANCELLED, RunStatus.EXPIRED: StepStatus.EXPIRED}

#: What a run gets when it ends: whoever takes it has no use for them.
_RESULTS = (
    "output",
    "error_message",
    "required_action",
    "response_model",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "total_tokens",
    "cost",
    "first_token_ms",
    "duration_ms",
    "requested_by",
    "external_id",
)


class RunManager(TenantModelManagerMixin, models.Manager.from_queryset(RunQuerySet)):  # type: ignore[misc]
    """The only writer of `ai_run`."""

    def queue(self, run: Run) -> Run:
        """Write a new run.

        Raises:
            ThreadBusy: the thread has an active run.
        """
        try:
            with transaction.atomic():
                run.save(force_insert=True)
        except IntegrityError as error:
            busy = self.active().originals().filter(thread_id=run.thread_id).order_by("pk").first()
            if busy is None:
                raise
            raise self.refusal(busy) from error
        return run

    def refusal(self, busy: Run) -> ThreadBusy:
        """What is said to who wants another run of the thread while this one is active."""
        shown = ForeignId.objects.shown("thread", UUID(str(busy.thread_id))), ForeignId.objects.shown("run", busy.pk)
        return ThreadBusy("Thread {} already has an active run {}.".format(*shown))

    def active_on(self, thread_id: UUID | str, *, at: datetime) -> Run | None:
        """The run that a thread is busy with. One whose time is over ends here, whether a worker has seen it or not.

        The answer holds for who has locked the thread: whoever starts a run or adds a message locks it, and asks, first.
        """
        active = self.active().originals().filter(thread_id=str(thread_id)).order_by("pk")
        run: Run | None = active.first()
        if run is not None and run.expires_at is not None and run.expires_at < at:
            self.expire(at=at)
            run = active.first()
        return run

    def hold(self, run: Run, *, worker: str, at: datetime) -> Run:
        """Write a new run that the caller executes itself.

        Raises:
            ThreadBusy: the thread has an active run.
        """
        run.status, run.leased_by, run.attempt, run.started_at = RunStatus.IN_PROGRESS, ids.lease(worker), 1, at
        run.lease_until = at + timedelta(seconds=conf.current().run_lease_seconds)
        return self.queue(run)

    def insert(self, runs: Iterable[Run]) -> None:
        """Write runs that ended elsewhere, such as imported ones."""
        self.bulk_create(runs, batch_size=200)

    def queue_replays(self, runs: Iterable[Run]) -> None:
        """Write new replays; one whose `replay_key` exists already is left as it is."""
        self.bulk_create(runs, batch_size=200, ignore_conflicts=True)

    def claim(self, run_id: UUID, *, worker: str, at: datetime) -> Run | None:
        """Take one queued run; None when somebody else has it or it has ended."""
        taken = self._take([run_id], worker=worker, at=at)
        return taken[0] if taken else None

    def claim_next(self, *, worker: str, at: datetime, most: int, job_id: UUID | None = None) -> list[Run]:
        """Take up to `most` queued runs, the longest waiting first; with `job_id` only that job's."""
        with transaction.atomic():
            queued = self.claimable(at).order_by("created", "pk")
            queued = queued.filter(job_id=job_id) if job_id else queued
            if connections[self.db].features.has_select_for_update_skip_locked:
                queued = queued.select_for_update(skip_locked=True)
            keys = list(queued.values_list("pk", flat=True)[:most])
            return self._take(keys, worker=worker, at=at) if keys else []

    def _take(self, keys: list[UUID], *, worker: str, at: datetime) -> list[Run]:
        settings = conf.current()
        lease = ids.lease(worker)
        changed = (
            self.claimable(at)
            .filter(pk__in=keys)
            .update(
                status=RunStatus.IN_PROGRESS,
                leased_by=lease,
                lease_until=at + timedelta(seconds=settings.run_lease_seconds),
                attempt=F("attempt") + 1,
                started_at=Coalesce(F("started_at"), at),
                modified=at,
            )
        )
        # Found by key: an index on a lease, which changes twice in a run's life, would cost more than it gives.
        taken = self.filter(pk__in=keys, leased_by=lease) if changed else self.none()
        return list(taken.defer(*_RESULTS).order_by("created", "pk"))

    def renew(self, runs: Iterable[Run], *, at: datetime) -> set[UUID]:
        """Lengthen the leases of runs being executed; the ids of those that somebody asked to cancel."""
        until = at + timedelta(seconds=conf.current().run_lease_seconds)
        held = self.filter(pk__in=[run.pk for run in runs], status__in=HELD)
        held.filter(leased_by__in={run.leased_by for run in runs}).update(lease_until=until)
        return self.to_cancel(run.pk for run in runs)

    def watch(self, runs: Iterable[Run]) -> tuple[set[UUID], set[UUID]]:
        """Of runs being executed: those that somebody asked to cancel, and those that are no longer their worker's."""
        held = {run.pk: run.leased_by for run in runs}
        rows = self.filter(pk__in=list(held), status__in=HELD).values_list("pk", "status", "leased_by")
        mine = {pk: status for pk, status, lease in rows if held[pk] == lease}
        return {pk for pk, status in mine.items() if status == RunStatus.CANCELLING}, held.keys() - mine.keys()

    def release(self, runs: Iterable[Run], *, at: datetime) -> int:
        """Give runs back to the queue as if they had not been taken; how many were still the caller's.

        One that somebody asked to cancel is cancelled with it.
        """
        taken = list(runs)
        held = self.filter(pk__in=[run.pk for run in taken], leased_by__in={run.leased_by for run in taken})
        free = {"leased_by": "", "lease_until": None, "modified": at}
        ended: int = held.filter(status=RunStatus.CANCELLING).update(status=RunStatus.CANCELLED, ended_at=at, **free)
        again = held.filter(status=RunStatus.IN_PROGRESS)
        return ended + int(again.update(status=RunStatus.QUEUED, attempt=F("attempt") - 1, **free))

    def pause(self, run: Run, *, at: datetime, **values: Any) -> None:
        """Let a held run wait for its client, with what it has so far in `values`.

        Raises:
            LeaseLost: another worker took it over, or somebody asked to cancel it.
        """
        values |= {"status": RunStatus.REQUIRES_ACTION, "modified": at, "leased_by": "", "lease_until": None}
        held = self.filter(pk=run.pk, status=RunStatus.IN_PROGRESS, leased_by=run.leased_by, attempt=run.attempt)
        if not held.update(**values):
            raise LeaseLost

    def progress(self, run: Run, *, at: datetime, **values: Any) -> None:
        """Keep what a held run has used so far.

        Raises:
            LeaseLost: another worker took it over, or it has ended.
        """
        if not self._write_held(run, {**values, "modified": at}):
            raise LeaseLost

    def resume(self, run_id: UUID, *, at: datetime) -> bool:
        """Queue a run whose client has answered; False when it does not wait for that. It starts with no attempt spent."""
        waiting = self.filter(pk=run_id, status=RunStatus.REQUIRES_ACTION)
        return bool(waiting.update(status=RunStatus.QUEUED, required_action=None, attempt=0, modified=at))

    def to_cancel(self, run_ids: Iterable[UUID]) -> set[UUID]:
        """Those of the runs that somebody asked to cancel."""
        return set(self.filter(pk__in=list(run_ids), status=RunStatus.CANCELLING).values_list("pk", flat=True))

    def end(self, run: Run, *, status: str, at: datetime, **values: Any) -> None:
        """Bring a held run to its final state, with its results in `values`, `ended_at` if it was before `at`; the object
        stays as it was.

        Raises:
            LeaseLost: another worker took it over, or it has ended.
        """
        values = {"ended_at": at, **values, "status": status, "modified": at, "leased_by": "", "lease_until": None}
        if not self._write_held(run, values):
            raise LeaseLost
        if status in FAILURES:
            Ending.objects.note(RUN, [(run.pk, run.tenant_id)], at=at)

    def _write_held(self, run: Run, values: dict[str, Any]) -> int:
        """`filter(held by us).update(**values)`, in a third of the time: results are written by the hundred a second."""
        connection = connections[self.db]
        quote, fields = connection.ops.quote_name, [self.model._meta.get_field(name) for name in values]
        key = self.model._meta.pk.get_db_prep_value(run.pk, connection)
        given = [f.get_db_prep_save(value, connection) for f, value in zip(fields, values.values(), strict=True)]
        columns = ", ".join(f"{quote(field.column)} = %s" for field in fields)
        states = ", ".join(["%s"] * len(HELD))
        sql = (
            f"UPDATE {quote(self.model._meta.db_table)} SET {columns} "  # noqa: S608 - names of columns, no values
            f"WHERE id = %s AND leased_by = %s AND attempt = %s AND status IN ({states})"
        )
        with connection.cursor() as cursor:
            cursor.execute(sql, [*given, key, run.leased_by, run.attempt, *map(str, HELD)])
            return int(cursor.rowcount)

    def request_cancel(self, run_id: UUID, *, at: datetime) -> Run:
        """Ask for a run to be cancelled: at once when nobody executes it, else by its worker, soon.

        Raises:
            NotFound, RunNotActive.
        """
        with transaction.atomic():
            # Locked, so that it is not between two states, such as executed and waiting for its client.
            run: Run | None = self.select_for_update().filter(pk=run_id).first()
            if run is None or run.status in FINAL:
                raise RunNotActive if run else NotFound
            if not self._end_waiting(self.filter(pk=run_id), status=RunStatus.CANCELLED, at=at):
                self.filter(pk=run_id).update(status=RunStatus.CANCELLING, modified=at)
            run.refresh_from_db()
        return run

    def set_metadata(self, run_id: UUID, *, metadata: dict[str, Any], at: datetime) -> None:
        """Replace what clients keep with a run."""
        self.filter(pk=run_id).update(metadata=metadata, modified=at)

    def promote(self, run_id: UUID, *, thread_id: UUID, at: datetime) -> bool:
        """Note the thread that a replay was promoted to; False when it has been promoted already."""
        return bool(self.filter(pk=run_id, promoted_to__isnull=True).update(promoted_to=thread_id, modified=at))

    def cancel_job(self, job_id: UUID, *, at: datetime) -> None:
        """Ask for every run of a job to be cancelled; those that wait are at once."""
        mine = self.filter(job_id=job_id)
        # Locked in the order in which workers write results, so that neither waits for the other for ever.
        list(mine.active().select_for_update().order_by("pk").values_list("pk", flat=True))
        self._end_waiting(mine, status=RunStatus.CANCELLED, at=at)
        mine.filter(status=RunStatus.IN_PROGRESS).update(status=RunStatus.CANCELLING, modified=at)

    def recover(self, *, at: datetime, dead_workers: Iterable[str] = ()) -> int:
        """Give runs whose worker died back to the queue, or end them; how many.

        A run is its worker's no more when the lease has run out, or at once when the worker is known to be dead.
        """
        lost = Q(lease_until__lt=at)
        for worker in dead_workers:
            lost |= Q(leased_by__startswith=f"{worker}#")
        held = self.filter(lost, status__in=HELD)
        free = {"leased_by": "", "lease_until": None, "modified": at}
        changed: int = held.filter(status=RunStatus.CANCELLING).update(status=RunStatus.CANCELLED, ended_at=at, **free)
        again = held.filter(status=RunStatus.IN_PROGRESS)
        error = {"error_code": "server_error", "error_message": "Every worker that began this run died."}
        with transaction.atomic():
            spent = again.filter(attempt__gte=conf.current().run_max_attempts).order_by("pk")
            failed = list(spent.select_for_update().values_list("pk", "tenant_id"))
            if failed:
                lost_for_good = self.filter(pk__in=[key for key, _ in failed], status=RunStatus.IN_PROGRESS)
                changed += lost_for_good.update(status=RunStatus.FAILED, ended_at=at, **error, **free)
                Ending.objects.note(RUN, failed, at=at)
        return changed + int(again.update(status=RunStatus.QUEUED, **free))

    def expire(self, *, at: datetime) -> int:
        """End runs that nobody executes and whose time is over; how many."""
        return self._end_waiting(self.filter(expires_at__lt=at), status=RunStatus.EXPIRED, at=at)

    def _end_waiting(self, runs: models.QuerySet[Run], *, status: RunStatus, at: datetime) -> int:
        """End those of the runs that nobody executes, with their open steps; how many."""
        with transaction.atomic():
            waiting = runs.filter(status__in=WAITING).order_by("pk")
            found = list(waiting.select_for_update().values_list("pk", "tenant_id"))
            if not found:
                return 0
            keys = [key for key, _ in found]
            if status in FAILURES:
                Ending.objects.note(RUN, found, at=at)
            ended = self.filter(pk__in=keys, status__in=WAITING)
            changed: int = ended.update(status=status, ended_at=at, modified=at, required_action=None)
            RunStep.objects.close(keys, status=_STEP[status], at=at)
        return changed


class Run(TenantRecord):
    """One answer of one model to one thread; with `replay_of_thread` set, a replay, whose `output` stays on the run."""

    thread_id = models.CharField("thread", max_length=255, null=True, blank=True)
    assistant_id = models.UUIDField("assistant", null=True, blank=True)
    external_id = models.CharField("external ID", max_length=255, null=True, blank=True)
    job_id = models.UUIDField(null=True, blank=True, editable=False)
    requested_by = models.CharField(max_length=255, default="", blank=True)

    model = models.CharField(max_length=255, help_text="The alias that was asked for.")
    response_model = models.CharField(
        max_length=255, default="", blank=True, help_text="What the provider says it used."
    )
    instructions = models.TextField(default="", blank=True)
    tools = models.JSONField(default=list, blank=True)
    settings = models.JSONField(default=dict, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    history_until = models.PositiveIntegerField(
        null=True, blank=True, help_text="The model gets the thread's messages up to this sequence number."
    )

    replay_of = models.UUIDField(null=True, blank=True, editable=False, help_text="The run that is replayed.")
    replay_of_thread = models.UUIDField(null=True, blank=True, editable=False)
    replay_from = models.PositiveIntegerField(null=True, blank=True, editable=False)
    replay_to = models.PositiveIntegerField(null=True, blank=True, editable=False)
    replay_key = models.CharField(max_length=64, null=True, blank=True, unique=True, editable=False)
    promoted_to = models.UUIDField(null=True, blank=True, editable=False)
    output = models.JSONField(default=list, blank=True, help_text="A replay's messages.")

    status = models.CharField(max_length=16, choices=RunStatus, default=RunStatus.QUEUED)
    error_code = models.CharField(max_length=32, default="", blank=True)
    error_message = models.TextField(default="", blank=True)
    incomplete_reason = models.CharField(max_length=32, default="", blank=True)
    required_action = models.JSONField(null=True, blank=True)

    prompt_tokens = models.PositiveIntegerField(default=0)
    completion_tokens = models.PositiveIntegerField(default=0)
    cached_tokens = models.PositiveIntegerField(default=0)
    total_tokens = models.PositiveIntegerField(default=0)
    cost = models.DecimalField(max_digits=14, decimal_places=8, null=True, blank=True, help_text="In US$.")
    first_token_ms = models.PositiveIntegerField("time to first token", null=True, blank=True)
    duration_ms = models.PositiveIntegerField("duration", null=True, blank=True)

    attempt = models.PositiveSmallIntegerField(default=0)
    leased_by = models.CharField(max_length=300, default="", blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    retry_at = models.DateTimeField(null=True, blank=True, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[RunManager] = RunManager()

    class Meta:
        db_table = "ai_run"
        ordering = ("-created", "-id")
        permissions = (
            ("replay_run", "Can replay runs"),
            ("cancel_run", "Can cancel runs"),
            ("import_run", "Can import runs"),
            ("export_run", "Can export runs"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["thread_id"],
                name="ai_run_one_active_per_thread",
                condition=Q(status__in=[str(s) for s in ACTIVE], replay_of_thread__isnull=True),
            ),
            models.CheckConstraint(name="ai_run_failed_has_error", condition=~Q(status="failed") | ~Q(error_code="")),
            models.CheckConstraint(
                name="ai_run_ended_when_final",
                condition=Q(status__in=[str(s) for s in ACTIVE]) | Q(ended_at__isnull=False),
            ),
        )
        indexes = (
            models.Index(fields=["-created", "-id"], name="ai_run_latest"),
            models.Index(fields=["tenant_id", "-created", "-id"], name="ai_run_tenant_latest"),
            models.Index(fields=["tenant_id", "status", "-created"], name="ai_run_tenant_status"),
            models.Index(fields=["tenant_id", "model", "-created"], name="ai_run_tenant_model"),
            models.Index(fields=["thread_id", "-created"], name="ai_run_thread"),
            models.Index(fields=["replay_of_thread", "-created"], name="ai_run_replays"),
            models.Index(fields=["assistant_id", "-created", "-id"], name="ai_run_assistant"),
            models.Index(fields=["job_id"], name="ai_run_job", condition=Q(job_id__isnull=False)),
            # Not a partial one: SQLite uses those only where the query repeats their condition word by word.
            models.Index(fields=["status", "created", "id"], name="ai_run_queue"),
        )

    def __str__(self) -> str:
        return f"{self.model} · {self.get_status_display()}"

    @property
    def is_active(self) -> bool:
        """Whether the run has not ended."""
        return self.status in ACTIVE

    @property
    def is_replay(self) -> bool:
        """Whether the run replays an answer."""
        return self.replay_of_thread is not None
