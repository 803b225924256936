"""The server: every kind of remote conversation on one loopback port."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fakes.remotes.state import State

Json = dict[str, Any]
KEY = "sk-remote"


@dataclass(frozen=True)
class Failure:
    """How one request is answered instead; `pattern` is looked for in its line, such as "GET /v1/threads"."""

    status: int = 500
    pattern: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = "It did not work."
    after: bool = False
    """Do what was asked for first, and fail to say so."""


class Refused(Exception):
    """What the API says no to."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class RemoteServer:
    """A context manager. Its `state` may be changed at any time; `requests` are the lines of the requests it got."""

    def __init__(self, *, delay: float = 0.0, most_per_page: int = 100, port: int = 0) -> None:
        """`delay` is in seconds."""
        self.state = State()
        self.delay, self.most_per_page = delay, most_per_page
        self.keys = {KEY}
        self.requests: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.bodies: list[Any] = []
        self.before: Callable[[str], None] = lambda line: None
        self.lock = Lock()
        self.open = self.most_open = 0
        self._failures: deque[Failure] = deque()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.remote = self

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=(0.05,), name="remote", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self) -> None:
        """Answer until the process ends."""
        self._server.serve_forever()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The base URL to give a client."""
        return f"http://127.0.0.1:{self.port}/v1"

    def script(self, *failures: Failure) -> None:
        """Let the coming requests that fit these fail, each once."""
        self._failures = deque(failures)

    def failure_for(self, line: str) -> Failure | None:
        """How this request fails, if it does."""
        with self.lock:
            for failure in self._failures:
                if failure.pattern in line:
                    self._failures.remove(failure)
                    return failure
        return None

    def lists(self) -> list[str]:
        """The requests for messages or items."""
        return [line for line in self.requests if re.match(r"GET .*/(messages|items|input_items)", line)]

    # -- What it answers
    def answer(self, method: str, path: str, query: Json, body: Any) -> Any:
        """The JSON, or bytes, of one request. Raises `Refused`."""
        for wanted, pattern, act in ROUTES:
            found = re.fullmatch(pattern, path)
            if found and wanted == method:
                with self.lock:
                    return act(
                        self, *map(unquote, found.groups()), **({"query": query} if method == "GET" else {"body": body})
                    )
        raise Refused(404, f"Invalid URL ({method} /v1{path})")

    def page(self, rows: list[Json], query: Json) -> Json:
        """A page of a list, as all these APIs have it."""
        ordered = rows if query.get("order", "desc") == "asc" else rows[::-1]
        ids = [row["id"] for row in ordered]
        start, end = 0, len(ordered)
        for name in ("after", "before"):
            if name in query and query[name] not in ids:
                raise Refused(404, f"No message found with id '{query[name]}'.")
        if "after" in query:
            start = ids.index(query["after"]) + 1
        if "before" in query:
            end = ids.index(query["before"])
        limit = min(int(query.get("limit", 20)), self.most_per_page)
        found = ordered[start:end][:limit]
        more = end - start > len(found)
        first, last = (found[0]["id"], found[-1]["id"]) if found else (None, None)
        return {"object": "list", "data": found, "first_id": first, "last_id": last, "has_more": more}

    def _thread(self, key: str, query: Any = None, body: Any = None) -> Json:
        if key not in self.state.threads:
            raise Refused(404, f"No thread found with id '{key}'.")
        return {"id": key, "object": "thread", "created_at": 1, "metadata": {}, "tool_resources": None}

    def _new_thread(self, body: Json) -> Json:
        return {**self._thread(self.state.thread()), "metadata": body.get("metadata") or {}}

    def _messages(self, key: str, query: Json) -> Json:
        self._thread(key)
        return self.page(self.state.threads[key], query)

    def _say(self, key: str, body: Json) -> Json:
        self._thread(key)
        if not body.get("content"):
            raise Refused(400, "Message content must be non-empty.")
        return self.state.say(key, body.pop("content"), **body)

    def _modify(self, key: str, message: str, body: Json) -> Json:
        found = self._find(self.state.threads.get(key, []), message)
        found["metadata"] = body["metadata"]
        return found

    def _find(self, rows: list[Json], key: str) -> Json:
        for row in rows:
            if row["id"] == key:
                return row
        raise Refused(404, f"No message found with id '{key}'.")

    def _conversation(self, key: str, query: Any = None) -> Json:
        if key not in self.state.conversations:
            raise Refused(404, f"Conversation with id '{key}' not found.")
        return {"id": key, "object": "conversation", "created_at": 1, "metadata": {}}

    def _new_conversation(self, body: Json) -> Json:
        return {**self._conversation(self.state.conversation()), "metadata": body.get("metadata") or {}}

    def _items(self, key: str, query: Json) -> Json:
        self._conversation(key)
        return self.page(self.state.conversations[key], query)

    def _add_items(self, key: str, body: Json) -> Json:
        self._conversation(key)
        made = self.state.add_items(key, body["items"])
        return {"object": "list", "data": made, "first_id": made[0]["id"], "last_id": made[-1]["id"], "has_more": False}

    def _response(self, key: str, query: Json) -> Json:
        if key not in self.state.responses:
            raise Refused(404, f"Response with id '{key}' not found.")
        return self.state.responses[key]

    def _input_items(self, key: str, query: Json) -> Json:
        self._response(key, {})
        return self.page(self.state.input_items.get(key, []), query)

    def _completion(self, key: str, query: Json) -> Json:
        if key not in self.state.completions:
            raise Refused(404, f"Chat completion {key} not found.")
        return self.state.completions[key]

    def _completion_messages(self, key: str, query: Json) -> Json:
        self._completion(key, {})
        return self.page(self.state.completion_messages.get(key, []), query)

    def _file(self, key: str, query: Json) -> Json:
        if key not in self.state.files:
            raise Refused(404, f"No such File object: {key}")
        return self.state.files[key][0]

    def _content(self, key: str, query: Json) -> bytes:
        facts = self._file(key, {})
        if facts["purpose"] == "private":
            raise Refused(400, "Not allowed to download files of purpose: private")
        return self.state.files[key][1]

    def _upload(self, body: Any) -> Json:
        name, content, purpose = body
        return self._file(self.state.file(content, name=name, purpose=purpose), {})

    def _models(self, query: Json) -> Json:
        return {"object": "list", "data": [{"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "x"}]}


_ID = "([^/]+)"
ROUTES: list[tuple[str, str, Callable[..., Any]]] = [
    ("GET", f"/threads/{_ID}", RemoteServer._thread),
    ("POST", "/threads", RemoteServer._new_thread),
    ("GET", f"/threads/{_ID}/messages", RemoteServer._messages),
    ("POST", f"/threads/{_ID}/messages", RemoteServer._say),
    ("POST", f"/threads/{_ID}/messages/{_ID}", RemoteServer._modify),
    ("GET", f"/conversations/{_ID}", RemoteServer._conversation),
    ("POST", "/conversations", RemoteServer._new_conversation),
    ("GET", f"/conversations/{_ID}/items", RemoteServer._items),
    ("POST", f"/conversations/{_ID}/items", RemoteServer._add_items),
    ("GET", f"/responses/{_ID}", RemoteServer._response),
    ("GET", f"/responses/{_ID}/input_items", RemoteServer._input_items),
    ("GET", f"/chat/completions/{_ID}", RemoteServer._completion),
    ("GET", f"/chat/completions/{_ID}/messages", RemoteServer._completion_messages),
    ("GET", f"/files/{_ID}", RemoteServer._file),
    ("GET", f"/files/{_ID}/content", RemoteServer._content),
    ("POST", "/files", RemoteServer._upload),
    ("GET", "/models", RemoteServer._models),
]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    remote: RemoteServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is none of our business."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _handle(self) -> None:
        remote = self.server.remote
        with remote.lock:
            remote.open += 1
            remote.most_open = max(remote.most_open, remote.open)
        try:
            self._answer(remote)
        finally:
            with remote.lock:
                remote.open -= 1

    def _answer(self, remote: RemoteServer) -> None:
        parts = urlsplit(self.path)
        line = f"{self.command} {self.path}"
        body = self._body()
        with remote.lock:
            remote.requests.append(line)
            remote.headers.append({name.lower(): value for name, value in self.headers.items()})
            remote.bodies.append(body)
        remote.before(line)
        if remote.delay:
            time.sleep(remote.delay)
        failure = remote.failure_for(line)
        if failure and not failure.after:
            self._send(failure.status, _error(failure.message), failure.headers)
            return
        if self._key() not in remote.keys:
            self._send(401, _error("Incorrect API key provided: the key has expired."))
            return
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            answer: Any = remote.answer(self.command, parts.path.removeprefix("/v1"), query, body)
        except Refused as error:
            self._send(error.status, _error(error.message))
            return
        if failure:
            self._send(failure.status, _error(failure.message), failure.headers)
        else:
            self._send(200, answer)

    def _key(self) -> str:
        return str(self.headers.get("Authorization", "")).removeprefix("Bearer ")

    def _body(self) -> Any:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.headers.get("Content-Type", "")
        if kind.startswith("multipart/"):
            return _form(kind, content)
        return json.loads(content) if content else None

    def _send(self, status: int, answer: Any, headers: Mapping[str, str] | None = None) -> None:
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        kind = "application/octet-stream" if isinstance(answer, bytes) else "application/json"
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _handle  # noqa: N815 - the names http.server looks for

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _form(kind: str, content: bytes) -> tuple[str, bytes, str]:
    """The name, content and purpose of an upload."""
    message = BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + content)
    found: dict[str, Any] = {}
    for part in message.get_payload():
        name = part.get_param("name", header="content-disposition")  # type: ignore[union-attr]
        found[str(name)] = (part.get_filename(), part.get_payload(decode=True))  # type: ignore[union-attr]
    file_name, data = found["file"]
    return str(file_name), data, found["purpose"][1].decode()


def _error(message: str) -> Json:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
