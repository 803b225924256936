"""What a running run has said so far, in Django's cache, where the web process finds it.

The cache may be slow, empty or gone: a page then shows no partial text, and nothing else happens.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.core.cache import cache

log = logging.getLogger(__name__)

SECONDS = 120
Json = dict[str, Any]


def _key(run_id: UUID) -> str:
    return f"live:{run_id.hex}"


def show(outputs: Iterable[tuple[UUID, list[Json]]]) -> None:
    """Publish the messages of runs so far."""
    _quietly(lambda: cache.set_many({_key(run_id): output for run_id, output in outputs}, SECONDS))


def look(run_ids: Sequence[UUID]) -> dict[UUID, list[Json]]:
    """The messages so far of those of the runs that have published any."""
    found = _quietly(lambda: cache.get_many([_key(run_id) for run_id in run_ids])) or {} if run_ids else {}
    return {run_id: found[_key(run_id)] for run_id in run_ids if _key(run_id) in found}


def forget(run_ids: Iterable[UUID]) -> None:
    """The runs have ended: their answers are in the database."""
    _quietly(lambda: cache.delete_many([_key(run_id) for run_id in run_ids]))


def _quietly(do: Any) -> Any:
    try:
        return do()
    except Exception:  # a cache that fails must not fail a run or a page
        log.warning("The cache failed; partial answers are not shown.", exc_info=True)
        return None
