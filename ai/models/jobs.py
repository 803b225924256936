"""Jobs: work on many things at once, with progress, that can be cancelled and goes on after a crash."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db import IntegrityError, models, transaction
from django.db.models import Count, F, Q

from ai import conf, ids, tenancy
from ai.exceptions import Conflict
from ai.models import bulk
from ai.models.base import TenantManager, TenantRecord


class JobStatus(models.TextChoices):
    """Where a job stands."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    CANCELLED = "cancelled", "Cancelled"
    FAILED = "failed", "Failed"
    COMPLETED = "completed", "Completed"


OPEN = (JobStatus.QUEUED, JobStatus.RUNNING)


def _everywhere() -> AbstractContextManager[Any]:
    """The scope for counting: a job's runs are counted by its id, whatever tenant each is of."""
    if tenancy.current().tenants is None:
        return nullcontext()
    return tenancy.everything(reason="counting a job's runs")


class JobManager(TenantManager):
    """The only writer of `ai_job`."""

    def open_once(self, job: Job) -> tuple[Job, bool]:
        """Write a new job, or find the one that has its key; and whether it is new."""
        try:
            with transaction.atomic():
                job.save(force_insert=True)
        except IntegrityError:
            known: Job | None = self.filter(key=job.key).first() if job.key else None
            if known is None:
                raise
            return known, False
        return job, True

    def take(self, job_id: UUID, *, worker: str, at: datetime) -> Job | None:
        """Lease an open job to a worker; None when another has it or it has ended.

        A thread that stood still for longer than the lease has lost it, to a thread of the same worker as well.
        """
        lease, until = ids.lease(worker), at + timedelta(seconds=conf.current().run_lease_seconds)
        free = self.filter(pk=job_id, status__in=OPEN).filter(Q(lease_until__isnull=True) | Q(lease_until__lt=at))
        taken = free.update(status=JobStatus.RUNNING, leased_by=lease, lease_until=until, modified=at)
        return self.filter(pk=job_id, leased_by=lease).first() if taken else None

    def advance(
        self, job: Job, *, done: int = 0, failed: int = 0, at: datetime, data: dict[str, Any] | None = None
    ) -> bool:
        """Count things as done and keep the lease; False when the job was cancelled or lost. `data` replaces the job's."""
        until = at + timedelta(seconds=conf.current().run_lease_seconds)
        mine = self.filter(pk=job.pk, status=JobStatus.RUNNING, leased_by=job.leased_by)
        values: dict[str, Any] = {} if data is None else {"data": data}
        counts = {"done": F("done") + done, "failed": F("failed") + failed}
        return bool(mine.update(**counts, **values, lease_until=until, modified=at))

    def release(self, job: Job, *, at: datetime) -> None:
        """Let another worker carry on at once."""
        mine = self.filter(pk=job.pk, status=JobStatus.RUNNING, leased_by=job.leased_by)
        mine.update(leased_by="", lease_until=None, modified=at)

    def note(self, job: Job, **values: Any) -> None:
        """Set some of the `data` of a job that the caller holds."""
        job.data = {**job.data, **values}
        self.filter(pk=job.pk).update(data=job.data)

    def measure(self, job: Job, *, total: int, at: datetime, done: int | None = None) -> bool:
        """Say how many things there are, once that is known; False when the job was cancelled or lost.

        `done` replaces how many are done, where a worker begins anew.
        """
        mine = self.filter(pk=job.pk, status=JobStatus.RUNNING, leased_by=job.leased_by)
        return bool(mine.update(total=total, **({} if done is None else {"done": done}), modified=at))

    def keyed(self, prefix: str) -> models.QuerySet[Job]:
        """The jobs whose key begins so."""
        return self.filter(key__gte=prefix, key__startswith=prefix).order_by("key", "pk")

    def release_key(self, job_id: UUID) -> None:
        """Take a job's key away: what it stood for is over."""
        self.filter(pk=job_id).update(key=None)

    def begin(self, job_ids: Iterable[UUID], *, at: datetime) -> None:
        """Say of jobs whose runs have been taken that they run."""
        self.filter(pk__in=list(job_ids), status=JobStatus.QUEUED).update(status=JobStatus.RUNNING, modified=at)

    def count_ended(self, job_id: UUID, *, done: int, failed: int, at: datetime) -> None:
        """Count runs that ended, in the transaction that ended them; the last ones complete the job."""
        with _everywhere():
            mine = self.filter(pk=job_id)
            mine.update(done=F("done") + done, failed=F("failed") + failed, modified=at)
            over = mine.filter(status__in=OPEN, total__lte=F("done") + F("failed"))
            if over.update(status=JobStatus.COMPLETED, ended_at=at):
                self._tell(mine, at=at)

    def recount(self, job_id: UUID, *, at: datetime) -> None:
        """Count the job's runs anew, after many of them ended at once.

        The job stays locked meanwhile, so that whoever ends a run at the same time counts it before or after, never twice.
        Once none is left to wait for, runs that are gone with their threads have failed.
        """
        from ai.models.runs import FINAL, Run, RunStatus

        answered = Q(status__in=[RunStatus.COMPLETED, RunStatus.INCOMPLETE])
        ended = Q(status__in=FINAL)
        with _everywhere(), transaction.atomic():
            job = self.select_for_update().filter(pk=job_id).first()
            if job is None:
                return
            counts = Run.objects.filter(job_id=job_id).aggregate(
                done=Count("pk", filter=answered),
                failed=Count("pk", filter=ended & ~answered),
                active=Count("pk", filter=~ended),
            )
            if not counts.pop("active"):
                counts["failed"] = max(counts["failed"], job.total - counts["done"])
            self.filter(pk=job_id).update(**counts)
            self.count_ended(job_id, done=0, failed=0, at=at)

    def end(self, job_id: UUID, *, status: str, at: datetime, error: str = "") -> bool:
        """End an open job; False when it had ended."""
        return self._end(self.filter(pk=job_id, status__in=OPEN), status=status, at=at, error=error)

    def finish(self, job: Job, *, status: str, at: datetime, error: str = "") -> bool:
        """End a job as the worker that holds it; False when it was cancelled or lost."""
        mine = self.filter(pk=job.pk, status=JobStatus.RUNNING, leased_by=job.leased_by)
        return self._end(mine, status=status, at=at, error=error)

    def _end(self, rows: models.QuerySet[Job], **values: Any) -> bool:
        changes = {"status": values["status"], "error": values["error"], "leased_by": "", "lease_until": None}
        with transaction.atomic():
            keys = list(rows.values_list("pk", flat=True))
            if not rows.update(**changes, ended_at=values["at"], modified=values["at"]):
                return False
            if values["status"] != JobStatus.CANCELLED:
                self._tell(self.filter(pk__in=keys), at=values["at"])
        return True

    def _tell(self, rows: models.QuerySet[Job], *, at: datetime) -> None:
        """Have a worker tell whoever wants to know that these have ended."""
        from ai.models.endings import JOB, Ending

        Ending.objects.note(JOB, rows.values_list("pk", "tenant_id"), at=at)

    def cancel(self, job_id: UUID, *, at: datetime) -> None:
        """Cancel an open job: what is done stays done.

        Raises:
            Conflict: it has ended.
        """
        if not self.end(job_id, status=JobStatus.CANCELLED, at=at):
            raise Conflict("The job has already ended.")

    def waiting(self, *, at: datetime) -> list[Job]:
        """Open jobs that no worker holds."""
        free = self.filter(status__in=OPEN).filter(Q(lease_until__isnull=True) | Q(lease_until__lt=at))
        return list(free.order_by("created", "pk")[:100])


class Job(TenantRecord):
    """Work on many things; `total`, `done` and `failed` count them."""

    kind = models.CharField(max_length=32)
    title = models.CharField(max_length=255, default="")
    status = models.CharField(max_length=16, choices=JobStatus, default=JobStatus.QUEUED)
    requested_by = models.CharField(max_length=255, default="", blank=True)
    key = models.CharField(max_length=64, null=True, blank=True, unique=True, editable=False)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    data = models.JSONField(default=dict, blank=True)
    error = models.TextField(default="", blank=True)
    leased_by = models.CharField(max_length=300, default="", blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[JobManager] = JobManager()

    class Meta:
        db_table = "ai_job"
        ordering = ("-created", "-id")
        permissions = (("cancel_job", "Can cancel jobs"),)
        indexes = (
            models.Index(fields=["-created", "-id"], name="ai_job_latest"),
            models.Index(fields=["tenant_id", "-created", "-id"], name="ai_job_tenant_latest"),
            models.Index(
                fields=["status", "created"], name="ai_job_open", condition=Q(status__in=[str(s) for s in OPEN])
            ),
        )

    def __str__(self) -> str:
        return self.title or self.kind

    @property
    def is_open(self) -> bool:
        """Whether the job has not ended."""
        return self.status in OPEN

    @property
    def percent(self) -> int:
        """How much is finished, failures included."""
        return min(100, (self.done + self.failed) * 100 // self.total) if self.total else 0


class JobItemManager(TenantManager):
    """The only writer of `ai_job_item`."""

    def add(self, items: Iterable[JobItem]) -> None:
        """Write the things a new job works on."""
        bulk.insert_objects(JobItem, items)

    def next_of(self, job_id: UUID, *, most: int) -> list[JobItem]:
        """The first things that are still to do."""
        return list(self.filter(job_id=job_id, status="queued").order_by("position", "pk")[:most])

    def settle(self, item: JobItem, *, status: str, at: datetime, data: dict[str, Any], error: str = "") -> bool:
        """Note what became of a thing; False when it was settled before."""
        waiting = self.filter(pk=item.pk, status="queued")
        return bool(waiting.update(status=status, data={**item.data, **data}, error=error, modified=at))

    def with_status(self, job_id: UUID, status: str, *, most: int) -> list[JobItem]:
        """The first things of a job that stand so."""
        return list(self.filter(job_id=job_id, status=status).order_by("position", "pk")[:most])

    def move(self, job_id: UUID, *, before: str, after: str, at: datetime) -> int:
        """Let everything of a job that stands so stand otherwise; how many things that were."""
        return int(self.filter(job_id=job_id, status=before).update(status=after, modified=at))

    def change(self, item: JobItem, *, status: str, data: dict[str, Any], at: datetime, error: str = "") -> bool:
        """Note what became of a thing that still stands as `item` says; False when it does not."""
        same = self.filter(pk=item.pk, status=item.status)
        return bool(same.update(status=status, data=data, error=error, modified=at))


class JobItem(TenantRecord):
    """One thing that a job works on; `data` holds what it was and what it became."""

    job_id = models.UUIDField()
    position = models.PositiveIntegerField()
    object_id = models.CharField(max_length=255, default="")
    status = models.CharField(max_length=16, default="queued")
    data = models.JSONField(default=dict, blank=True)
    error = models.TextField(default="", blank=True)

    objects: ClassVar[JobItemManager] = JobItemManager()

    class Meta:
        db_table = "ai_job_item"
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["job_id", "position"], name="ai_job_item_once"),)
        indexes = (models.Index(fields=["job_id", "status", "position"], name="ai_job_item_waiting"),)

    def __str__(self) -> str:
        return f"{self.position + 1}. {self.object_id}"
