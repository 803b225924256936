"""An export of messages as CSV, by this console, by a bare cursor and CSV writer, or by django-import-export itself.

`python -m tests.benchmarks.inside.exports WHO COUNT` tells the seconds, and the memory over that of the idle process in MB.
"""

from __future__ import annotations

import csv
import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import django

django.setup()

from django.db import connections
from import_export.resources import modelresource_factory

from ai import tenancy
from ai.models import Message
from ai.services.exports import rows
from ai.services.tables import MESSAGES
from tests.benchmarks.inside import tell

BLOCK = 2000


def ours(count: int, out: IO[bytes]) -> None:
    """What the console does."""
    written = rows.write_csv("messages", [Message.objects.order_by("pk")[:count]], out)
    assert written.rows == count, written


def bare(count: int, out: IO[bytes]) -> None:
    """What a person writes who minds neither formulas nor what the values look like: the same columns of the same rows."""
    names = ", ".join(column.attribute for column in MESSAGES.columns if column.name != "content")
    sql = f"SELECT {names}, json_extract(message, '$.content') FROM ai_message ORDER BY id LIMIT %s"  # noqa: S608 - names of ours
    path = Path(out.name)
    with connections["default"].cursor() as cursor, path.open("w", newline="", encoding="utf-8") as text:
        writer = csv.writer(text)
        writer.writerow(MESSAGES.header)
        cursor.execute(sql, [count])
        while block := cursor.fetchmany(BLOCK):
            writer.writerows(block)


def library(count: int, out: IO[bytes]) -> None:
    """What django-import-export does for a model of which it is told nothing."""
    made = modelresource_factory(Message)().export(Message.objects.order_by("pk")[:count])
    out.write(made.csv.encode())


def main() -> None:
    """Export once."""
    write = {"ours": ours, "bare": bare, "library": library}[sys.argv[1]]
    count = int(sys.argv[2])
    with tenancy.everything(reason="benchmark"), TemporaryDirectory() as folder:
        assert Message.objects.exists()  # connected, and as big as it is when nothing goes on
        idle = peak_mb()
        begin = time.perf_counter()
        with Path(folder, "messages.csv").open("wb") as out:
            write(count, out)
        seconds = time.perf_counter() - begin
        tell({"seconds": seconds, "mb": peak_mb() - idle})


def peak_mb() -> float:
    """The most memory that the process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
