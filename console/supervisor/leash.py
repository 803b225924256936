"""Runs a module as `python -m` would, and ends with whoever started it: `leash.py SECONDS MODULE ARG…`.

The starter holds the other end of standard input. When it is gone, however it went, the pipe closes.
"""

import contextlib
import os
import runpy
import signal
import sys
import threading
import time


def _end_with_parent(seconds: float) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Watch the parent from a thread, and become the module."""
    patience, module = float(sys.argv[1]), sys.argv[2]
    threading.Thread(target=_end_with_parent, args=(patience,), daemon=True).start()
    sys.argv = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
