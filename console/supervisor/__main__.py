"""`python -m console.supervisor`: prepare, start, say where, look after, stop."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from types import FrameType
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from console import env
from console.supervisor import children
from console.supervisor.children import Child

READY_SECONDS = 90.0
GIVE_UP_AFTER_DEATHS = 3
LOOK_EVERY_SECONDS = 0.2


class Stopped(Exception):
    """Somebody asked the console to end."""


def say(text: str) -> None:
    """Tell the person at the terminal."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _stop(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)  # asked twice, it ends at once
    raise Stopped


def taken(host: str, port: int) -> str:
    """Why the console cannot listen there; empty when it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            return error.strerror or str(error)
    return ""


def where(host: str, port: int) -> tuple[str, str]:
    """The address to probe, and the one to show."""
    near = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - compared, not bound
    return near, f"http://{f'[{near}]' if ':' in near else near}:{port}/"


def commands(settings: env.Env) -> dict[str, tuple[str, ...]]:
    """What is kept running: a module and its arguments, by the name people know it by."""
    level = settings.log_level.lower()
    web = ("uvicorn", "console.asgi:application", "--host", settings.host, "--port", str(settings.port))
    worker = ("celery", "-A", "console", "--quiet", "worker", "--pool=threads", "-c", str(settings.worker_concurrency))
    return {
        "web server": (
            *web,
            *("--lifespan", "on", "--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "3"),
            # Longer than clients keep a connection that they do not use: who closes it first must not be the server, in
            # whose face the next request would fail.
            *("--timeout-keep-alive", "75", "--log-level", "warning" if level == "info" else level),
        ),
        "worker": (
            *worker,
            *("--without-gossip", "--without-mingle", "--without-heartbeat", "-n", "console@%h"),
            *("-l", level),
        ),
    }


def health(host: str, port: int) -> dict[str, Any]:
    """What `/healthz` says; empty while nobody answers."""
    connection = http.client.HTTPConnection(host, port, timeout=3)
    try:
        connection.request("GET", "/healthz")
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    else:
        return answer
    finally:
        connection.close()


def prepare() -> dict[str, Any]:
    """Have the home folder made ready; the account to log in with."""
    process = children.start("console.supervisor.prepare", stdout=subprocess.PIPE)
    try:
        output = process.stdout.read() if process.stdout else b""
        process.wait()
    finally:
        children.stop([process])
    if process.returncode:
        raise SystemExit(f"The console could not be prepared ({children.describe(process.returncode)}); see above.")
    account: dict[str, Any] = json.loads(output)
    return account


def wait_until_ready(kept: list[Child], *, host: str, port: int) -> bool:
    """Look after the children until all is well. False when it takes too long, or they die again and again."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        for child in kept:
            child.look_after(at=time.monotonic())
        if max(child.deaths for child in kept) >= GIVE_UP_AFTER_DEATHS:
            return False
        if all(child.process for child in kept) and health(host, port).get("status") == "ok":
            return True
        time.sleep(LOOK_EVERY_SECONDS)
    return False


def announce(address: str, account: dict[str, Any]) -> None:
    """Say that it is ready, and how to get in."""
    say(f"Console ready at {address}")
    if account["password"]:
        say(f"Log in as {account['username']} with the password {account['password']} (it is shown this once).")
    elif account["username"]:
        say(f"Log in as {account['username']}.")
    say("Press Ctrl-C to stop.")


def serve(settings: env.Env) -> int:
    """Run the console until it is stopped; the exit code."""
    host, address = where(settings.host, settings.port)
    say("Preparing the database …")
    account = prepare()
    kept = [Child(name=name, command=command, say=say) for name, command in commands(settings).items()]
    try:
        for child in kept:
            child.start(at=time.monotonic())
        if not wait_until_ready(kept, host=host, port=settings.port):
            say(f"The console did not become ready: {health(host, settings.port) or 'the web server does not answer'}")
            return 1
        announce(address, account)
        while True:
            time.sleep(LOOK_EVERY_SECONDS)
            for child in kept:
                child.look_after(at=time.monotonic())
    finally:
        children.stop([child.process for child in kept if child.process])


def main() -> int:
    """Check what can be checked at once, then serve."""
    try:
        settings = env.load()
    except ImproperlyConfigured as error:
        say(str(error))
        return 1
    if reason := taken(settings.host, settings.port):
        say(
            f"Port {settings.port} on {settings.host} cannot be used ({reason}). Stop the program that has it, "
            f"or choose another one: make run PORT={settings.port + 1}"
        )
        return 1
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        return serve(settings)
    except Stopped:
        say("Stopped.")
        return 0


if __name__ == "__main__":
    sys.exit(main())
