"""The live handle of a thread's remote side."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.test import override_settings

from ai.exceptions import Misconfigured
from ai.models import Tenant
from tests import factories

pytestmark = pytest.mark.django_db


class Remote(BaseHTTPRequestHandler):
    """Makes and shows conversations and threads the way OpenAI's API answers."""

    requests: list[str] = []

    def _answer(self) -> None:
        self.requests.append(f"{self.command} {self.path}")
        length = int(self.headers.get("Content-Length") or 0)
        metadata = json.loads(self.rfile.read(length) or b"{}").get("metadata", {})
        kind = "thread" if "threads" in self.path else "conversation"
        key = self.path.rsplit("/", 1)[-1] if self.command == "GET" else "conv_new"
        body = json.dumps({"id": key, "object": kind, "created_at": 1, "metadata": metadata, "tool_resources": None})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = _answer  # noqa: N815 - the names http.server looks for

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A remote on loopback that the settings point to; the requests it got."""
    Remote.requests = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Remote)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("REMOTE_KEY", "sk-remote")
    url = f"http://127.0.0.1:{server.server_port}/v1"
    with override_settings(AI_REMOTE_BASE_URL=url, AI_REMOTE_API_KEY_ENV="REMOTE_KEY"):
        yield Remote.requests
    server.shutdown()
    server.server_close()


class TestRemoteThread:
    def test_makes_the_remote_side_once(self, tenant: Tenant, remote: list[str]) -> None:
        thread = factories.thread(tenant)

        first, second = thread.remote_thread(), thread.remote_thread()

        assert (first.id, second.id) == ("conv_new", "conv_new")
        assert (thread.external_id, thread.sync_state) == ("conv_new", "linked")
        assert remote == ["POST /v1/conversations"]

    @pytest.mark.filterwarnings("ignore:The Assistants API is deprecated")
    @pytest.mark.parametrize(
        ("external_id", "request_line"),
        [("conv_abc", "GET /v1/conversations/conv_abc"), ("thread_abc", "GET /v1/threads/thread_abc")],
    )
    def test_retrieves_the_side_that_exists(
        self, tenant: Tenant, remote: list[str], external_id: str, request_line: str
    ) -> None:
        thread = factories.thread(tenant, external_id=external_id)

        assert thread.remote_thread().retrieve().id == external_id
        assert remote == [request_line]

    def test_says_which_variable_is_missing(self, tenant: Tenant) -> None:
        with override_settings(AI_REMOTE_API_KEY_ENV="NO_SUCH_KEY"), pytest.raises(Misconfigured, match="NO_SUCH_KEY"):
            factories.thread(tenant).remote_thread()
