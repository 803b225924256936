"""`python -m tests.services.triage.crowd FOLDER TENANT FIRST COUNT`: so many people, each a thread, at the same cards at once.

They begin when the folder has a file `go`. Each tries to take every card as it was at the beginning, puts a label of their own on
every card until that is done, and merges the duplicates of one card; then the process prints who took what.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import django

django.setup()

from django.db import connection
from django.utils import timezone

from ai import tenancy
from ai.exceptions import Conflict, InvalidInput
from ai.models import Feedback
from ai.services.actors import Actor
from ai.services.triage import steps


def wait(folder: Path, number: int) -> None:
    """Say that this process is ready, and wait until all are."""
    (folder / f"ready-{number}").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)


def put_label(key: UUID, by: Actor) -> None:
    """Put the person's own label on a card, again and again until nobody else is quicker."""
    while True:
        try:
            steps.add_labels(feedback_ids=[key], labels=[f"seen by {by.name}"], by=by, at=timezone.now())
        except Conflict:
            time.sleep(0.005)
        else:
            return


def work(tenant_id: UUID, place: int, name: str) -> list[str]:
    """The cards that this person took."""
    by = Actor(name, name)
    taken = []
    with tenancy.scope(tenant_id):
        cards = list(Feedback.objects.filter(user_id="card").order_by("pk").values_list("pk", flat=True))
        same = list(Feedback.objects.filter(user_id__startswith="same-").order_by("pk").values_list("pk", flat=True))
        for key in cards[place % len(cards) :] + cards[: place % len(cards)]:
            try:
                steps.assign(feedback_ids=[key], to=name, by=by, at=timezone.now(), seen={key: 0})
            except Conflict:
                continue
            taken.append(str(key))
        for key in cards:
            put_label(key, by)
        with suppress(Conflict, InvalidInput):  # somebody else has merged it, or all the others
            steps.merge(feedback_id=same[place], by=by, at=timezone.now())
    connection.close()
    return taken


def main(folder: str, tenant: str, first: str, count: str) -> None:
    """Print who took which cards."""
    places = range(int(first), int(first) + int(count))
    wait(Path(folder), int(first))
    with ThreadPoolExecutor(len(places)) as pool:
        found = list(pool.map(lambda place: work(UUID(tenant), place, f"person-{place:02}"), places))
    sys.stdout.write(json.dumps({f"person-{place:02}": keys for place, keys in zip(places, found, strict=True)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
