"""`python -m tests.fakes.vendors --port 0 --delay-ms 200` prints its port and answers until it is ended."""

from __future__ import annotations

import argparse
import asyncio
import sys

from tests.fakes.vendors.script import Reply
from tests.fakes.vendors.server import VendorServer


async def main() -> None:
    """Serve the same answer to everybody."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay-ms", type=float, default=0, help="before the first byte")
    parser.add_argument("--chunks", type=int, default=3)
    parser.add_argument("--chunk-ms", type=float, default=0, help="before each chunk")
    options = parser.parse_args()
    server = VendorServer(port=options.port)
    server.script(
        Reply(
            chunks=tuple(f"word{number} " for number in range(options.chunks)),
            completion_tokens=options.chunks,
            first_byte_delay=options.delay_ms / 1000,
            chunk_delay=options.chunk_ms / 1000,
        )
    )
    server.keep_requests = False
    serving = asyncio.create_task(server.serve())
    while not server.is_listening:
        await asyncio.sleep(0.01)
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    await serving


if __name__ == "__main__":
    asyncio.run(main())
