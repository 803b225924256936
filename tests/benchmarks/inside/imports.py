"""An import of messages, by this console or by django-import-export itself, in bulk and without differences.

`python -m tests.benchmarks.inside.imports WHO COUNT` tells the seconds, and the memory over that of the idle process in MB.
What is read is written before: the same messages, 25 a thread, as CSV or as chat JSON lines.
"""

from __future__ import annotations

import csv
import json
import random
import resource
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import django

django.setup()

import tablib  # type: ignore[import-untyped]
from django.utils import timezone
from import_export.resources import modelresource_factory

from ai import ids, tenancy
from ai.models import ChatThread, Message, Tenant
from ai.services import actors
from ai.services.imports import loading
from ai.services.load import vocabulary
from ai.services.tables import MESSAGES
from tests.benchmarks.inside import tell

TALK = 25
#: Words of questions and of answers.
WORDS = (12, 60)
BATCH = 1000


def messages(count: int) -> Iterator[tuple[UUID, int, dict[str, str]]]:
    """Thread, number and message."""
    rng = random.Random(1)
    words = [word for word in _words() if word.isascii() and word.isalpha()]
    for place in range(count):
        if place % TALK == 0:
            thread = ids.new()
        number = place % TALK
        said = " ".join(rng.choices(words, k=WORDS[number % 2]))
        yield thread, number + 1, {"role": ("user", "assistant")[number % 2], "content": said}


def _words() -> Iterator[str]:
    """The words of made-up conversations."""
    for group in vars(vocabulary).values():
        if isinstance(group, tuple | list):
            yield from (word for text in group for word in str(text).split())


def as_csv(count: int, path: Path, tenant: Tenant) -> None:
    """The columns that the console's own files have, under the names of the model's fields too."""
    names = ["id", "thread_id", "sequence", "message", "created", "modified", "tenant_id"]
    begun = timezone.now()
    with path.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(names)
        for place, (thread, number, message) in enumerate(messages(count)):
            at = f"{begun + timedelta(milliseconds=place):%Y-%m-%d %H:%M:%S}"
            writer.writerow([ids.new(), thread, number, json.dumps(message), at, at, tenant.pk])
    assert set(names) <= set(MESSAGES.header)


def as_lines(count: int, path: Path) -> None:
    """Chat JSON lines."""
    talks: dict[UUID, list[dict[str, str]]] = {}
    for thread, _, message in messages(count):
        talks.setdefault(thread, []).append(message)
    with path.open("w", encoding="utf-8") as opened:
        for thread, said in talks.items():
            opened.write(json.dumps({"id": f"t-{thread.hex}", "title": "A talk", "messages": said}) + "\n")


def ours(path: Path, tenant: Tenant) -> None:
    """What the console does: threads, messages, tags and the words for the search."""
    report = loading.load(path=path, tenant_id=tenant.pk, by=actors.SYSTEM, at=timezone.now())
    assert not report.refused, report.counts()


def library(path: Path, tenant: Tenant) -> None:
    """What django-import-export does for a model of which it is told nothing: the messages' rows alone."""
    options: dict[str, Any] = {"use_bulk": True, "skip_diff": True, "batch_size": BATCH}
    made = modelresource_factory(Message, meta_options=options)()
    data = tablib.Dataset().load(path.read_text(encoding="utf-8"), format="csv")
    made.import_data(data, raise_errors=True)


def main() -> None:
    """Import once, into a tenant of its own."""
    who, count = sys.argv[1], int(sys.argv[2])
    with tenancy.everything(reason="benchmark"), TemporaryDirectory() as folder:
        tenant = Tenant.objects.create(name=f"{who} {ids.new()}")
        path = Path(folder, "messages.csv" if who != "lines" else "threads.jsonl")
        as_lines(count, path) if who == "lines" else as_csv(count, path, tenant)
        load = library if who == "library" else ours
        assert ChatThread.objects.count() >= 0  # connected, and as big as it is when nothing goes on
        idle = peak_mb()
        begin = time.perf_counter()
        load(path, tenant)
        seconds = time.perf_counter() - begin
        assert Message.objects.filter(tenant_id=tenant.pk).count() == count
        tell({"seconds": seconds, "mb": peak_mb() - idle})


def peak_mb() -> float:
    """The most memory that the process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
