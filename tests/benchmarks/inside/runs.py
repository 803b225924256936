"""The official SDK, asking for runs of stored threads, one after the other."""

from __future__ import annotations

import sys
import time
import warnings
from statistics import median, quantiles

from openai import OpenAI

from tests.benchmarks.inside import tell

warnings.simplefilter("ignore", DeprecationWarning)

RUNS = 300
#: The first requests of a process load what they need.
WARM_UP = 10


def tenant() -> str:
    """The name of the tenant with the most threads."""
    import django

    django.setup()
    from django.db.models import Count

    from ai import tenancy
    from ai.models import ChatThread, Tenant

    with tenancy.everything(reason="a benchmark"):
        counts = ChatThread.objects.order_by().values("tenant_id").annotate(count=Count("pk"))
        return str(Tenant.objects.get(pk=max(counts, key=lambda row: row["count"])["tenant_id"]).name)


def create(url: str, key: str) -> tuple[float, float]:
    """Median and 95th percentile in milliseconds."""
    client = OpenAI(base_url=url, api_key=key, max_retries=0)
    assistant = client.beta.assistants.create(model="nobody")
    taken = []
    for thread_id in _threads(client):
        client.beta.threads.messages.create(thread_id, role="user", content="Where is my parcel?")
        begin = time.perf_counter()
        client.beta.threads.runs.create(thread_id, assistant_id=assistant.id)
        taken.append((time.perf_counter() - begin) * 1000)
    taken = taken[WARM_UP:]
    return median(taken), quantiles(taken, n=20)[18]


def _threads(client: OpenAI) -> list[str]:
    found: list[str] = []
    while len(found) < RUNS + WARM_UP:
        query: dict[str, object] = {"limit": 100, "after": found[-1]} if found else {"limit": 100}
        page = client.get("/threads", cast_to=object, options={"params": query})
        found += [thread["id"] for thread in page["data"]]  # type: ignore[index]
    return found[: RUNS + WARM_UP]


if __name__ == "__main__":
    tell(tenant() if sys.argv[1] == "tenant" else create(*sys.argv[2:]))
