"""SQLite's planner knows that a tenant owns many rows."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from ai import ids
from ai.models import ChatThread, Feedback, Message, Run, Tenant
from ai.models.statistics import tell_planner

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def plan(queryset: Any) -> str:
    """How SQLite would answer."""
    return str(queryset.explain())


class TestTellPlanner:
    @pytest.mark.parametrize("model", [ChatThread, Message, Run, Feedback])
    def test_finds_some_rows_of_a_tenant_by_their_ids(self, tenant: Tenant, model: Any) -> None:
        rows = model.objects.filter(pk__in=[ids.new() for _ in range(50)])

        assert "(id=?)" in plan(rows)

    @pytest.mark.parametrize("model", [ChatThread, Message, Run])
    def test_lists_a_tenants_rows_by_an_index(self, tenant: Tenant, model: Any) -> None:
        assert "tenant_latest" in plan(model.objects.all()[:50])

    @pytest.mark.parametrize("model", [ChatThread, Message, Run])
    def test_lists_all_rows_by_an_index(self, db: None, model: Any) -> None:
        rows = model._base_manager.order_by(*model._meta.ordering)

        assert "USING INDEX" in plan(rows[:50])
        assert "TEMP B-TREE" not in plan(rows[:50])

    def test_finds_the_runs_of_a_thread_by_the_thread(self, tenant: Tenant) -> None:
        assert "ai_run_thread" in plan(Run.objects.filter(thread_id=str(ids.new())))

    def test_finds_the_newest_runs_of_an_assistant_by_the_assistant(self, tenant: Tenant) -> None:
        newest = plan(Run.objects.filter(assistant_id=ids.new()).order_by("-created", "-pk")[:20])

        assert "ai_run_assistant" in newest
        assert "TEMP B-TREE" not in newest

    def test_tells_the_same_again(self, db: None) -> None:
        def told() -> list[Any]:
            with connection.cursor() as cursor:
                cursor.execute("SELECT tbl, idx, stat FROM sqlite_stat1 WHERE tbl LIKE 'ai%' ORDER BY 1, 2")
                return list(cursor.fetchall())

        before = told()

        tell_planner(connection)

        assert told() == before
        assert ("ai_message", "ai_message_tenant_latest", "1000000 200000 1 1") in before
