"""Times of searches, and of the SQL that a person would write to find the same."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from typing import Any
from uuid import UUID

import django

django.setup()

from django.db import connection

from ai import tenancy
from ai.models import SearchDocument, Tenant
from tests.benchmarks.inside import median_ms, tell

MOST = 400
TIMES = 15

RAW = """SELECT d.id, d.thread_id, d.message_id FROM ai_search_fts f JOIN ai_search_document d ON d.id = f.rowid
    WHERE ai_search_fts MATCH %s {tenant} ORDER BY f.rowid DESC LIMIT %s"""

#: What is typed, and what finds it in FTS5's language. "the" is in four of ten messages, "latency" in one of forty.
QUERIES = {
    "a common word": ("the", "the*"),
    "a rarer word": ("latency", "latency*"),
    "two words": ("order refund", "order* refund*"),
    "the beginning of a word": ("refu", "refu*"),
    "a word that is nowhere": ("qqqqqq", "qqqqqq*"),
}


def by_hand(query: str, tenant: UUID | None) -> list[Any]:
    """The query by hand."""
    sql = RAW.format(tenant="AND d.tenant_id = %s" if tenant else "")
    values: list[Any] = [query, *([tenant.hex] if tenant else []), MOST]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[Any] = cursor.fetchall()
    return rows


def scope_of(tenant: UUID | None) -> AbstractContextManager[Any]:
    """What is searched."""
    return tenancy.scope(tenant) if tenant else tenancy.everything(reason="benchmark")


def main() -> None:
    """Time every query, in everything and in the smallest tenant."""
    found = {}
    smallest = Tenant.objects.get(name="Load C").pk
    for where, tenant in (("every tenant", None), ("a small tenant", smallest)):
        for name, (words, query) in QUERIES.items():
            with scope_of(tenant):
                ours = median_ms(partial(SearchDocument.objects.matching, words, most=MOST), times=TIMES)
            found[f"{name}, {where}"] = (ours, median_ms(partial(by_hand, query, tenant), times=TIMES))
    tell(found)


if __name__ == "__main__":
    main()
