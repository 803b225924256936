"""Who else is looking: one row for each person and thing, which ends by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from ai import tenancy
from ai.exceptions import Forbidden, NotFound, RateLimited
from ai.models import ChatThread, Presence, Tenant
from ai.services import presence
from tests import factories

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def tenant(db: None) -> Iterator[Tenant]:
    made = factories.tenant()
    with tenancy.scope(made.pk):
        yield made


@pytest.fixture
def thread(tenant: Tenant) -> ChatThread:
    return factories.thread(tenant)


def reader(tenant: Tenant, **names: str) -> Any:
    made = factories.staff("view_chatthread", tenants=(tenant,))
    for name, value in names.items():
        setattr(made, name, value)
    return made


def beat(thread: ChatThread, by: Any, at: datetime = NOW) -> list[str]:
    return [each.name for each in presence.beat(kind="thread", object_id=thread.pk, by=by, at=at)]


class TestBeat:
    def test_tells_each_of_the_other(self, tenant: Tenant, thread: ChatThread) -> None:
        ana, ben = reader(tenant, first_name="Ana", last_name="Blum"), reader(tenant)

        assert beat(thread, ana) == []
        assert beat(thread, ben) == ["Ana Blum"]
        assert beat(thread, ana) == [ben.username]

    def test_keeps_one_row_and_since_when_somebody_is_there(self, tenant: Tenant, thread: ChatThread) -> None:
        ana, ben = reader(tenant), reader(tenant)
        for seconds in (0, 20, 40):
            beat(thread, ana, NOW + seconds * SECOND)

        (there,) = presence.beat(kind="thread", object_id=thread.pk, by=ben, at=NOW + 60 * SECOND)

        assert there.since == NOW
        assert Presence.objects.filter(person=str(ana.pk)).count() == 1

    def test_ends_by_itself_and_begins_anew(self, tenant: Tenant, thread: ChatThread) -> None:
        ana, ben = reader(tenant), reader(tenant)
        beat(thread, ana)
        late = NOW + (presence.HOLDS + 1) * SECOND

        assert beat(thread, ben, late) == []
        beat(thread, ana, late)

        (there,) = presence.beat(kind="thread", object_id=thread.pk, by=ben, at=late)
        assert there.since == late

    def test_sweeps_what_has_ended_in_every_tenant(self, tenant: Tenant, thread: ChatThread) -> None:
        other = factories.tenant()
        theirs = factories.thread(other)
        with tenancy.scope(other.pk):
            beat(theirs, reader(other))

        beat(thread, reader(tenant), NOW + 60 * SECOND)

        with tenancy.everything(reason="test"):
            assert [row.object_id for row in Presence.objects.all()] == [thread.pk]

    def test_is_three_statements_besides_the_look_at_the_thread(self, tenant: Tenant, thread: ChatThread) -> None:
        ana = reader(tenant)
        ana.has_perm("ai.view_chatthread")

        with CaptureQueriesContext(connection) as seen:
            beat(thread, ana)

        said = [query["sql"].split()[0] for query in seen.captured_queries]
        assert [word for word in said if word in {"SELECT", "INSERT", "DELETE", "UPDATE"}] == [
            "SELECT",
            "DELETE",
            "INSERT",
            "SELECT",
        ]

    def test_is_for_those_who_may_look(self, tenant: Tenant, thread: ChatThread) -> None:
        with pytest.raises(Forbidden):
            beat(thread, factories.staff(tenants=(tenant,)))

    def test_finds_nothing_of_another_tenant(self, tenant: Tenant) -> None:
        theirs = factories.thread(factories.tenant())

        for key in (theirs.pk, uuid4()):
            with pytest.raises(NotFound):
                presence.beat(kind="thread", object_id=key, by=reader(tenant), at=NOW)

    def test_knows_no_blind_reviews(self, tenant: Tenant, thread: ChatThread) -> None:
        with pytest.raises(NotFound):
            presence.beat(kind="slot", object_id=thread.pk, by=reader(tenant), at=NOW)

    @override_settings(AI_PRESENCE="no")
    def test_can_be_off(self, tenant: Tenant, thread: ChatThread) -> None:
        with pytest.raises(NotFound):
            beat(thread, reader(tenant))
        assert not Presence.objects.exists()

    def test_ends_at_so_many_in_a_minute(self, tenant: Tenant, thread: ChatThread) -> None:
        ana, ben = reader(tenant), reader(tenant)
        for _ in range(presence.MOST_A_MINUTE):
            beat(thread, ana)

        with pytest.raises(RateLimited) as refused:
            beat(thread, ana, NOW + 15 * SECOND)

        assert refused.value.retry_after == 45
        assert beat(thread, ben) == [ana.username]
        beat(thread, ana, NOW + 60 * SECOND)


class TestLeave:
    def test_ends_it_at_once(self, tenant: Tenant, thread: ChatThread) -> None:
        ana, ben = reader(tenant), reader(tenant)
        beat(thread, ana)

        for _ in range(2):
            presence.leave(kind="thread", object_id=thread.pk, by=ana, at=NOW)

        assert beat(thread, ben) == []


class TestDatabase:
    def test_has_one_row_for_each_person_at_each_thing(self, tenant: Tenant) -> None:
        values = {"kind": "thread", "object_id": uuid4(), "person": "1", "since": NOW, "until": NOW + SECOND}
        Presence(tenant_id=tenant.pk, **values).save(force_insert=True)

        with pytest.raises(IntegrityError), transaction.atomic():
            Presence(tenant_id=tenant.pk, **values).save(force_insert=True)
        with pytest.raises(IntegrityError, match="ai_presence_ends_after_it_began"), transaction.atomic():
            Presence(tenant_id=tenant.pk, **values | {"person": "2", "until": NOW}).save(force_insert=True)
