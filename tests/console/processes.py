"""Child processes for the supervisor's tests: `python -m tests.console.processes KIND [FILE]`."""

import signal
import subprocess
import sys
import time
from pathlib import Path


def main(kind: str, file: str = "") -> None:
    """Be a process that sleeps, one that will not end, or one that starts another and will not end."""
    if kind != "meek":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if kind == "parent":
        other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        Path(file).write_text(str(other.pid))
    elif file:
        Path(file).write_text("started")
    time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
