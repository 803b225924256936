"""`python -m tests.benchmarks [name…]`: every benchmark, or those that are named."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import (
    exports,
    file_search,
    imports,
    keys,
    load,
    pages,
    replays,
    runner,
    runs,
    search,
    startup,
    streams,
    sync,
)
from tests.benchmarks.measures import HEADER, Measure
from tests.benchmarks.places import Places, say

BENCHMARKS: dict[str, Callable[[Places], list[Measure]]] = {
    "startup": startup.run,
    "runner": runner.run,
    "replays": replays.run,
    "streams": streams.run,
    "sync": sync.run,
    "load": load.run,
    "runs": runs.run,
    "search": search.run,
    "file_search": file_search.run,
    "exports": exports.run,
    "imports": imports.run,
    "pages": pages.run,
    "keys": keys.run,
}
NEEDED_BYTES = 6 * 1024**3


def main() -> int:
    """Run them, print the table; 1 when one of them crashed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    names = parser.parse_args().names or list(BENCHMARKS)
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    folder = Path(tempfile.mkdtemp(prefix="console-bench-"))
    try:
        if {"load", "runs", "search", "exports", "pages", "keys"} & set(names) and shutil.disk_usage(
            folder
        ).free < NEEDED_BYTES:
            sys.stderr.write(f"The benchmarks need 6 GiB for a while, and {folder} has less. Set TMPDIR.\n")
            return 1
        return _run_all(names, Places(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run_all(names: list[str], places: Places) -> int:
    measures: list[Measure] = []
    crashed = []
    for name in names:
        say(name)
        try:
            measures += BENCHMARKS[name](places)
        except Exception:  # noqa: BLE001 - the others still say something
            traceback.print_exc()
            crashed.append(name)
    sys.stdout.write("\n".join(["", HEADER, *(measure.line() for measure in measures), ""]) + "\n")
    if crashed:
        sys.stdout.write(f"Crashed: {', '.join(crashed)}.\n")
    return 1 if crashed else 0


if __name__ == "__main__":
    sys.exit(main())
