"""What a worker does with a job that it holds, or held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ai.exceptions import InvalidInput
from ai.models import Job, Tenant
from ai.services import working

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
        assert (job.status, job.leased_by, called) == ("running", "second", [])
