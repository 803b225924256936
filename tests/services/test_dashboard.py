"""The dashboard's numbers equal plain counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from django.utils import timezone as django_timezone

from ai import tenancy
from ai.models import ChatThread, Feedback, Message, Run, Tenant
from ai.services import dashboard
from tests import factories

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 20, 15, 30, tzinfo=UTC)
STATUSES = ("completed", "failed", "expired", "cancelled", "incomplete", "queued")


def fill(tenant: Tenant, *, seed: int, count: int = 40) -> None:
    """Rows over the last 120 days, some of them exactly at midnight."""
    random = Random(seed)
    with tenancy.scope(tenant.pk):
        for number in range(count):
            thread = factories.thread(tenant, *factories.talk(1))
            at = _moment(random)
            ChatThread.objects.filter(pk=thread.pk).update(created=at)
            Message.objects.filter(thread_id=str(thread.pk)).update(created=_moment(random))
            status = random.choice(STATUSES)
            Run(
                thread_id=str(thread.pk),
                tenant_id=tenant.pk,
                model="m",
                status=status,
                created=_moment(random),
                ended_at=None if status == "queued" else at,
                error_code="server_error" if status == "failed" else "",
                cost=random.choice([None, Decimal("0.00012345"), Decimal("1.5")]),
            ).save(force_insert=True)
            message = Message.objects.filter(thread_id=str(thread.pk)).order_by("sequence").first()
            rating = random.choice(["up", "down", "a comment"])
            row = Feedback.objects.give(message=message, feedback=rating, user_id=f"u{number}", at=_moment(random))
            Feedback.objects.filter(pk=row.pk).update(state=random.choice(["open", "resolved"]))


def _moment(random: Random) -> datetime:
    day = NOW - timedelta(days=random.randrange(120))
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    return random.choice(
        [midnight, midnight + timedelta(seconds=random.randrange(86_400)), midnight - timedelta(microseconds=1)]
    )


def expected(days: int) -> dict[str, Any]:
    """The same, by plain counts over the whole window."""
    today = django_timezone.localtime(NOW).replace(hour=0, minute=0, second=0, microsecond=0)
    window = {"created__gte": today - timedelta(days=days - 1), "created__lt": today + timedelta(days=1)}
    given = {name.replace("created", "given_at"): value for name, value in window.items()}
    runs = Run.objects.filter(**window)
    return {
        "threads": ChatThread.objects.filter(**window).count(),
        "messages": Message.objects.filter(**window).count(),
        "runs": runs.count(),
        "ended": runs.exclude(status="queued").count(),
        "errors": runs.filter(status__in=["failed", "expired"]).count(),
        "cost": runs.aggregate(total=Sum("cost"))["total"] or Decimal(0),
        "feedback": Feedback.objects.filter(**given).count(),
        "up": Feedback.objects.filter(**given, rating="up").count(),
        "down": Feedback.objects.filter(**given, rating="down").count(),
        "open_feedback": Feedback.objects.filter(state="open").count(),
    }


@pytest.mark.parametrize("days", dashboard.PERIODS)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
class TestNumbers:
    def test_equal_plain_counts(self, days: int, zone: str) -> None:
        one, two = factories.tenant(), factories.tenant()
        fill(one, seed=1)
        fill(two, seed=2, count=15)

        with django_timezone.override(zone):
            for scope in ([one.pk], [two.pk], [one.pk, two.pk]):
                with tenancy.scope(*scope):
                    found = dashboard.count(days=days, at=NOW)
                    assert {name: getattr(found, name) for name in expected(days)} == expected(days)
                    assert len(found.days) == days
            with tenancy.everything(reason="test"):
                found = dashboard.count(days=days, at=NOW)
                assert {name: getattr(found, name) for name in expected(days)} == expected(days)


class TestDays:
    def test_each_holds_its_own_rows(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant)
        midnight = NOW.replace(hour=0, minute=0)
        ChatThread.objects.filter(pk=thread.pk).update(created=midnight)

        days = dashboard.count(days=7, at=NOW).days

        assert [day.threads for day in days] == [0, 0, 0, 0, 0, 0, 1]
        assert days[-1].start == midnight

    def test_cost_a_fixed_number_of_queries(self, tenant: Tenant) -> None:
        with CaptureQueriesContext(connection) as short:
            dashboard.count(days=7, at=NOW)
        with CaptureQueriesContext(connection) as long:
            dashboard.count(days=90, at=NOW)

        assert len(short) == len(long) == 7

    def test_error_rate_is_a_share_of_the_runs_that_ended(self, tenant: Tenant) -> None:
        assert dashboard.count(days=7, at=NOW).error_rate is None
        fill(tenant, seed=3)

        found = dashboard.count(days=90, at=NOW)

        assert found.error_rate == found.errors / found.ended


class TestCache:
    def test_is_kept_per_scope(self) -> None:
        one, two = factories.tenant(), factories.tenant()
        factories.thread(one)
        with tenancy.scope(one.pk):
            assert dashboard.numbers(days=7, at=django_timezone.now()).threads == 1
            factories.thread(one)
            assert dashboard.numbers(days=7, at=django_timezone.now()).threads == 1

        with tenancy.scope(two.pk):
            assert dashboard.numbers(days=7, at=django_timezone.now()).threads == 0
        with tenancy.scope(one.pk, two.pk):
            assert dashboard.numbers(days=7, at=django_timezone.now()).threads == 2
