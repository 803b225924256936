"""`python -m tests.services.reviews.crowd QUEUE TENANT FIRST COUNT`: so many reviewers, each a thread, until nothing is left."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import django

django.setup()

from django.db import connection
from django.utils import timezone

from ai import tenancy
from ai.services.actors import Actor
from ai.services.reviews import reviewing


def review(queue_id: UUID, tenant_id: UUID, name: str) -> list[str]:
    """Answer whatever there is; the slots that were."""
    by, found = Actor(name, name), []
    with tenancy.scope(tenant_id):
        while task := reviewing.next_task(queue_id=queue_id, by=by, at=timezone.now()):
            reviewing.submit(slot_id=task.slot.pk, answers={"helpful": True}, by=by, at=timezone.now())
            found.append(str(task.slot.pk))
    connection.close()
    return found


def main(queue: str, tenant: str, first: str, count: str) -> None:
    """Print who answered which slots."""
    names = [f"reviewer-{number}" for number in range(int(first), int(first) + int(count))]
    with ThreadPoolExecutor(len(names)) as pool:
        found = list(pool.map(lambda name: review(UUID(queue), UUID(tenant), name), names))
    sys.stdout.write(json.dumps(dict(zip(names, found, strict=True))))


if __name__ == "__main__":
    main(*sys.argv[1:])
