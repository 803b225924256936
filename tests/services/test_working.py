"""What a worker does with a job that it holds, or held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ai.exceptions import InvalidInput
from ai.models import Job, Tenant
from ai.services import actors, jobs, retitle_batches, retitles, working
from ai.services.selections import Selection
from tests import factories

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def job(tenant: Tenant) -> Job:
    """A job that a worker has taken."""
    row = Job(kind="export", title="Export", tenant_id=tenant.pk)
    row.save(force_insert=True)
    taken = Job.objects.take(row.pk, worker="first", at=NOW)
    assert taken is not None
    return taken


def fail(error: Exception) -> None:
    raise error


class TestOn:
    def test_ends_a_job_that_fails_and_says_why(self, job: Job) -> None:
        called: list[str] = []

        with working.on(job, now=lambda: NOW, afterwards=lambda: called.append("afterwards")):
            fail(InvalidInput("Nothing is here."))

        job.refresh_from_db()
        assert (job.status, job.error, called) == ("failed", "Nothing is here.", ["afterwards"])

    def test_lets_a_job_alone_that_is_another_workers(self, job: Job) -> None:
        called: list[str] = []

        with working.on(job, now=lambda: NOW, afterwards=lambda: called.append("afterwards")):
            Job.objects.take(job.pk, worker="second", at=LATER)
            fail(FileNotFoundError())

        job.refresh_from_db()
        assert (job.status, job.leased_by.partition("#")[0], called) == ("running", "second", [])

    def test_lets_a_job_alone_that_another_thread_of_the_same_worker_has(self, job: Job) -> None:
        Job.objects.update(lease_until=NOW)
        again = Job.objects.take(job.pk, worker=job.leased_by.partition("#")[0], at=LATER)
        assert again is not None

        assert not Job.objects.advance(job, done=1, data={"tokens": 1}, at=LATER)
        assert Job.objects.advance(again, done=1, data={"tokens": 2}, at=LATER)

        job.refresh_from_db()
        assert (job.done, job.data["tokens"]) == (1, 2)


class TestRetitling:
    """What nobody foresaw ends these jobs as well."""

    @pytest.fixture
    def proposed(self, tenant: Tenant) -> Job:
        """The job of which titles are to be found."""
        rows = [factories.thread(tenant, *factories.talk(1), name=f"Old {number}") for number in range(3)]
        chosen = Selection.of_ids("threads", [row.pk for row in rows])
        return retitles.request(selection=chosen, by=actors.SYSTEM, at=NOW, model_alias="")

    def test_of_finding_titles(self, proposed: Job) -> None:
        Job.objects.filter(pk=proposed.pk).update(data={"model": ["no", "alias"]})

        jobs.carry_on(job_id=proposed.pk, worker="w", now=lambda: NOW)

        proposed.refresh_from_db()
        assert (proposed.status, proposed.error) == ("failed", "It failed: AttributeError. See the worker's log.")

    def test_of_applying_titles(self, proposed: Job) -> None:
        jobs.carry_on(job_id=proposed.pk, worker="w", now=lambda: NOW)
        retitle_batches.apply(job_id=proposed.pk, by=actors.SYSTEM, at=NOW, at_once=2)
        change = Job.objects.get(kind=retitle_batches.APPLY)
        Job.objects.filter(pk=change.pk).update(data={})

        jobs.carry_on(job_id=change.pk, worker="w", now=lambda: NOW)

        change.refresh_from_db()
        assert change.status == "failed"
