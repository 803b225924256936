"""`python -m tests.fakes.remotes --threads 200 --messages 50 --delay-ms 50`: a server; prints its port and the threads' ids."""

from __future__ import annotations

import argparse
import json
import sys

from tests.fakes.remotes.server import RemoteServer


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.remotes", description=__doc__)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--messages", type=int, default=0)
    parser.add_argument("--delay-ms", type=float, default=0)
    options = parser.parse_args()
    server = RemoteServer(delay=options.delay_ms / 1000)
    talk = [f"This is message {number}, which says a little more than nothing." for number in range(options.messages)]
    keys = [server.state.thread(*talk) for _ in range(options.threads)]
    sys.stdout.write(json.dumps({"port": server.port, "threads": keys}) + "\n")
    sys.stdout.flush()
    server.serve()


if __name__ == "__main__":
    main()
