"""
A loopback server that speaks every vendor's wire format, from a script.

    with VendorServer() as server:
        server.script(Failure("rate_limit", retry_after=0), Reply(chunks=("Hel", "lo")))
        spec = ModelSpec(alias="x", provider="openai", model="m", base_url=server.url("openai"), api_key="k")
        ...
        assert server.requests[0].json["messages"] == ...

`VendorServer` answers from a thread of this process; `VendorProcess` (or `python -m tests.fakes.vendors --delay-ms 200`) from
a process of its own, for benchmarks.
"""

from tests.fakes.vendors.processes import VendorProcess
from tests.fakes.vendors.script import Call, Failure, Reply, Step
from tests.fakes.vendors.server import Recorded, VendorServer
from tests.fakes.vendors.wire import VENDORS

__all__ = ["VENDORS", "Call", "Failure", "Recorded", "Reply", "Step", "VendorProcess", "VendorServer"]
