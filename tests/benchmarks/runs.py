"""What it takes to ask for a run where 100,000 threads are stored."""

from __future__ import annotations

from tests.benchmarks.measures import Measure
from tests.benchmarks.places import Places
from tests.benchmarks.serving import web


def run(places: Places) -> list[Measure]:
    """The 95th percentile of `runs.create`, as a client sees it; no worker takes the runs meanwhile."""
    place = places.get("big")
    tenant = place.inside("runs", "tenant")
    key = place.manage("create_api_key", "--tenant", tenant).splitlines()[-1]
    place.manage("add_model", "nobody", "--provider", "openai-compatible", "--model", "m", "--base-url", NOWHERE)
    with web(place) as server:
        usual, slow = place.inside("runs", "create", f"{server.url}/v1", key)
    note = f"median {usual:.1f} ms"
    return [Measure("runs.create, 100,000 threads stored, p95", slow, 50, " ms", note=note)]


#: Runs are only queued, so nobody ever listens here.
NOWHERE = "http://127.0.0.1:9/v1"
