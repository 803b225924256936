"""From the ids that clients send to rows. What is not there, and what is another tenant's, is answered alike."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

from ai import ids, tenancy
from ai.exceptions import NotFound
from ai.stores.serialization import clean_text

M = TypeVar("M", bound=Model)

NOUNS = {
    "step": "run step",
    "vector_store": "vector store",
    "batch": "file batch",
    "feedback_event": "event",
    "review_queue": "review queue",
    "review_item": "item",
}
SHOWN_CHARACTERS = 100


def missing(kind: str, text: str) -> NotFound:
    """The error for an id that leads nowhere; `kind` is one of `ids.PREFIXES`."""
    return NotFound(f"No {NOUNS.get(kind, kind)} found with id '{clean_text(text)[:SHOWN_CHARACTERS]}'.")


def keys(text: str) -> list[UUID]:
    """The keys that a public id can stand for in the tenant in scope; none for what cannot be one."""
    return ids.keys(tenancy.get_current_tenant_id(), clean_text(text))


def row(rows: QuerySet[M] | Any, kind: str, text: str) -> M:
    """The one of `rows`, a queryset or a manager, that has this public id.

    Raises:
        NotFound: there is none.
    """
    found: M | None = rows.filter(pk__in=keys(text)).order_by("pk").first()
    if found is None:
        raise missing(kind, text)
    return found
