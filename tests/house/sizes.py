"""Files stay small enough to be read: `python -m tests.house.sizes` names those that are not."""

import sys
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
ROOMS = ("ai", "console", "tests", "templates", "manage.py", "Makefile")
SUFFIXES = {".py", ".html", ".css", ".js", ""}
MOST_LINES = 400


def oversized() -> Iterator[str]:
    """The files that have grown into two nouns, with their number of lines."""
    for room in ROOMS:
        start = PROJECT / room
        for path in sorted(start.rglob("*")) if start.is_dir() else [start]:
            if path.suffix not in SUFFIXES or not path.is_file() or {"migrations", "vendor"} & set(path.parts):
                continue
            lines = len(path.read_bytes().splitlines())
            if lines >= MOST_LINES:
                yield f"{path.relative_to(PROJECT)}: {lines} lines, {MOST_LINES - 1} are allowed"


if __name__ == "__main__":
    found = list(oversized())
    sys.stdout.writelines(f"{line}\n" for line in found)
    sys.exit(bool(found))
