"""A server that receives webhooks on a loopback port, and checks them the way a stranger would: by the specification alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self


@dataclass(frozen=True)
class Received:
    """One request: its headers in small letters, and its body as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    def is_signed_with(self, secret: str) -> bool:
        """Whether the signature is that of Standard Webhooks: HMAC-SHA256 of “id.timestamp.body”, in base64."""
        key = base64.b64decode(secret.partition("_")[2])
        signed = b".".join([self.headers["webhook-id"].encode(), self.headers["webhook-timestamp"].encode(), self.body])
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        given = [each.partition(",") for each in self.headers["webhook-signature"].split(" ")]
        return any(version == "v1" and value == expected for version, _, value in given)


@dataclass
class Receiver:
    """A context manager; `answers` are the coming (status, body, headers), the last one again and again."""

    answers: list[tuple[int, bytes, Mapping[str, str]]] = field(default_factory=lambda: [(200, b"thanks", {})])
    delay: float = 0.0
    got: list[Received] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.receiver = self
        Thread(target=self._server.serve_forever, args=(0.05,), name="receiver", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/in"

    def script(self, *answers: tuple[int, bytes] | tuple[int, bytes, Mapping[str, str]]) -> None:
        """Let the coming requests be answered so."""
        self.answers = [(each[0], each[1], each[2] if len(each) == 3 else {}) for each in answers]

    def next_answer(self) -> tuple[int, bytes, Mapping[str, str]]:
        """How the request at hand is answered."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is none of our business."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        """Keep the request, and answer it."""
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        receiver.got.append(Received(self.path, headers, body))
        time.sleep(receiver.delay)
        status, text, more = receiver.next_answer()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
