"""What every request goes through: the key, hosts, bodies, URLs, errors."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings
from django.utils import timezone

from ai.api import limits
from ai.exceptions import RateLimited
from ai.models import ApiKey, Assistant, ChatThread, Tenant
from tests import factories
from tests.api.calling import Caller, make_key

pytestmark = pytest.mark.django_db

ENVELOPE = {"message", "type", "param", "code"}


def send(caller: Caller, path: str, body: bytes, content_type: str = "application/json") -> Any:
    response: Any = caller.client.generic(
        "POST", f"/v1{path}", body, content_type, headers={"authorization": f"Bearer {caller.key}"}
    )
    response.data = json.loads(response.content)
    return response


class TestKeys:
    @pytest.mark.parametrize("headers", [{}, {"authorization": ""}, {"authorization": "Bearer"}, {"api-key": " "}])
    def test_asks_for_one(self, db: None, headers: dict[str, str]) -> None:
        answer = Client().get("/v1/threads", headers=headers)

        assert answer.status_code == 401
        error = answer.json()["error"]
        assert error["message"].startswith("You didn't provide an API key.")
        assert (error["type"], error["code"]) == ("invalid_request_error", None)

    @pytest.mark.parametrize("key", ["wrong", "mc-" + "x" * 43, "ü", "\x00", "Bearer Bearer"])
    def test_says_that_one_is_wrong_without_repeating_it(self, db: None, key: str) -> None:
        answer = Caller(key).get("/threads")

        assert answer.status_code == 401
        assert answer.data["error"]["code"] == "invalid_api_key"
        assert key not in answer.data["error"]["message"]

    def test_is_asked_for_before_anything_else(self, db: None) -> None:
        answer = Client().post("/v1/assistants", b"{", content_type="application/json")

        assert answer.status_code == 401

    @pytest.mark.parametrize("values", [{"expires_at": timezone.now() - timedelta(1)}, {"revoked_at": timezone.now()}])
    def test_its_time_may_be_over(self, tenant: Tenant, values: dict[str, Any]) -> None:
        assert Caller.of(tenant, **values).get("/threads").data["error"]["code"] == "invalid_api_key"

    @pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "  Bearer   {} "])
    def test_comes_as_a_bearer(self, tenant: Tenant, form: str) -> None:
        answer = Client().get("/v1/threads", headers={"authorization": form.format(make_key(tenant)[1])})

        assert answer.status_code == 200

    def test_comes_as_azure_sends_it(self, tenant: Tenant) -> None:
        answer = Client().get("/v1/threads?api-version=v1", headers={"api-key": make_key(tenant)[1]})

        assert answer.status_code == 200

    def test_is_noted_when_it_is_used_once_a_minute(self, tenant: Tenant) -> None:
        key, plain = make_key(tenant)
        caller = Caller(plain)
        caller.get("/threads")
        first = ApiKey.objects.get(pk=key.pk).last_used_at

        caller.get("/threads")

        assert first is not None
        assert ApiKey.objects.get(pk=key.pk).last_used_at == first

    def test_without_a_scope_opens_nothing(self, tenant: Tenant) -> None:
        answer = Caller.of(tenant, scopes=[]).get("/threads")

        assert answer.status_code == 403


class TestLimit:
    def test_counts_the_requests_of_a_minute(self, tenant: Tenant) -> None:
        key, _ = make_key(tenant, requests_per_minute=2)
        at = datetime(2026, 11, 26, 12, 0, 45, tzinfo=UTC)

        headers = [limits.take(key, at=at) for _ in range(2)]
        with pytest.raises(RateLimited) as refused:
            limits.take(key, at=at)

        assert [each["x-ratelimit-remaining-requests"] for each in headers] == ["1", "0"]
        assert refused.value.retry_after == 15
        assert limits.take(key, at=at + timedelta(seconds=15))["x-ratelimit-remaining-requests"] == "1"

    def test_is_told_in_headers_and_then_refuses(self, tenant: Tenant) -> None:
        caller = Caller.of(tenant, requests_per_minute=1)

        first, second = caller.get("/threads"), caller.get("/threads")

        assert (first.status_code, second.status_code) == (200, 429)
        assert first["x-ratelimit-limit-requests"] == second["x-ratelimit-limit-requests"] == "1"
        assert second["x-ratelimit-remaining-requests"] == "0"
        assert second["x-ratelimit-reset-requests"] == f"{second['retry-after']}s"
        assert 0 < int(second["retry-after"]) <= 60
        assert second.data["error"]["code"] == "rate_limit_exceeded"

    def test_a_key_without_one_is_not_counted(self, caller: Caller) -> None:
        assert not [name for name in caller.get("/threads").headers if name.lower().startswith("x-ratelimit")]


class TestHeaders:
    def test_every_answer_has_them(self, caller: Caller) -> None:
        answers = [
            caller.get("/threads"),
            caller.get("/nothing"),
            caller.call("PUT", "/threads"),
            caller.get("/files/x"),
        ]

        for answer in answers:
            assert answer["x-request-id"].startswith("req_")
            assert answer["openai-processing-ms"].isdecimal()
            assert answer["X-Content-Type-Options"] == "nosniff"
            assert answer["Content-Type"] == "application/json"
            assert answer["Content-Length"] == str(len(answer.content))
            assert not answer.cookies
        assert len({answer["x-request-id"] for answer in answers}) == len(answers)

    @pytest.mark.parametrize(
        "headers",
        [
            {"accept": "text/html"},
            {"accept": "application/xml;q=0.1"},
            {"origin": "https://evil.example", "sec-fetch-mode": "cors"},
            {"openai-beta": "assistants=v1"},
            {"openai-organization": "", "x-stainless-poll-helper": "true"},
            {"accept-encoding": "gzip", "accept-language": "*"},
            {"cookie": "sessionid=x; csrftoken=y"},
        ],
    )
    def test_what_clients_send_is_let_be(self, caller: Caller, headers: dict[str, str]) -> None:
        assert caller.post("/threads", {}, **headers).status_code == 200


class TestUrls:
    @pytest.mark.parametrize(
        "path", ["", "/", "/nothing", "/threads/x/y/z", "/thread", "/assistants/a/b", "/%00", "//"]
    )
    def test_an_unknown_one_is_answered_in_json(self, caller: Caller, path: str) -> None:
        answer = caller.get(path)

        assert answer.status_code == 404
        assert set(answer.data["error"]) == ENVELOPE

    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("PUT", "/threads", {"GET", "POST"}),
            ("PATCH", "/threads/x", {"GET", "POST", "DELETE"}),
            ("DELETE", "/models", {"GET"}),
            ("OPTIONS", "/threads", {"GET", "POST"}),
            ("POST", "/docs", {"GET", "HEAD"}),
            ("DELETE", "/openapi.json", {"GET", "HEAD"}),
        ],
    )
    def test_a_wrong_method_is_answered_in_json(
        self, caller: Caller, method: str, path: str, allowed: set[str]
    ) -> None:
        answer = caller.call(method, path)

        assert answer.status_code == 405
        assert set(answer["Allow"].split(", ")) == allowed
        assert set(answer.data["error"]) == ENVELOPE

    @pytest.mark.parametrize("path", ["/threads/", "/assistants//", "/models/"])
    def test_a_slash_at_the_end_means_nothing(self, caller: Caller, path: str) -> None:
        assert caller.get(path).status_code == 200

    def test_the_document_and_its_page_need_no_key(self, db: None) -> None:
        document, page = Client().get("/v1/openapi.json"), Client().get("/v1/docs")

        assert document.json()["openapi"].startswith("3.")
        assert page.status_code == 200
        assert b"//" not in page.content.replace(b'"http://www.w3.org', b"")
        assert page["Content-Security-Policy"]


class TestQueries:
    @pytest.mark.parametrize(
        "query", ["limit=", "order=", "after=", "unknown=1&api-version=v1", "limit=100", "order=asc", "limit=1&limit=2"]
    )
    def test_what_means_nothing_is_let_be(self, caller: Caller, query: str) -> None:
        assert caller.get(f"/threads?{query}").status_code == 200

    @pytest.mark.parametrize(
        ("query", "param"),
        [
            ("limit=0", "limit"),
            ("limit=-1", "limit"),
            ("limit=101", "limit"),
            ("limit=ten", "limit"),
            ("limit=1.5", "limit"),
            ("limit=" + "9" * 5000, "limit"),
            ("limit=%00", "limit"),
            ("order=up", "order"),
            ("after=thread_none", "after"),
            ("before=%00", "before"),
            ("after=thread_" + "f" * 3000, "after"),
        ],
    )
    def test_says_what_is_wrong(self, caller: Caller, query: str, param: str) -> None:
        answer = caller.get(f"/threads?{query}")

        assert answer.status_code == 400
        assert answer.data["error"]["param"] == param

    @pytest.mark.parametrize("query", ["q=%00", "user=%00", "q=%22%28%2A", "q=" + "a" * 1000, "user=%ff"])
    def test_finds_nothing_for_junk(self, caller: Caller, query: str) -> None:
        assert caller.get(f"/threads?{query}").data["data"] == []

    def test_too_many_are_refused(self, caller: Caller) -> None:
        assert caller.get("/threads?" + "&".join(f"a{n}=" for n in range(2000))).status_code == 400


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"\xff\xfe",
            b"[1]",
            b'"text"',
            b"5",
            b"{'a': 1}",
            b'{"metadata": NaN}',
            b'{"metadata": 1e999}',
            b'{"a": ' + b"9" * 5000 + b"}",
            b"[" * 100_000,
            b'{"a":' * 500 + b"1" + b"}" * 500,
            b"a=1&b=2",
            b"\x00",
        ],
    )
    @pytest.mark.parametrize("path", ["/threads", "/assistants"])
    def test_what_is_no_json_object_is_refused(self, caller: Caller, path: str, body: bytes) -> None:
        answer = send(caller, path, body)

        assert answer.status_code == 400
        assert set(answer.data["error"]) == ENVELOPE
        assert not ChatThread.objects.exists()

    @pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "text/plain", "", "application/xml"])
    def test_is_read_whatever_it_is_called(self, caller: Caller, content_type: str) -> None:
        assert send(caller, "/threads", b'{"metadata": {"a": "b"}}', content_type).data["metadata"] == {"a": "b"}

    @pytest.mark.parametrize("body", [b"", b"  \n", b"null", b"{}"])
    def test_may_be_missing(self, caller: Caller, body: bytes) -> None:
        assert send(caller, "/threads", body).status_code == 200

    def test_may_hold_anything_in_any_place_and_is_never_a_bug(self, caller: Caller) -> None:
        values: list[Any] = [None, True, 0, -1, 10**30, 1.5, "", "\x00", "\ud800", [], [None], {}, {"a": {}}, [[[]]]]

        for name in (
            "name",
            "tools",
            "tool_resources",
            "metadata",
            "temperature",
            "response_format",
            "reasoning_effort",
        ):
            for value in values:
                answer = caller.post("/assistants", {"model": "openai:gpt-5", name: value})

                assert answer.status_code in {200, 400}, (name, value, answer.data)

    @override_settings(AI_API_MAX_BODY_BYTES=1000)
    def test_is_bounded(self, caller: Caller) -> None:
        fits = json.dumps({"metadata": {}}).encode()

        small, large = send(caller, "/threads", fits.ljust(1000)), send(caller, "/threads", fits.ljust(1001))

        assert (small.status_code, large.status_code) == (200, 413)
        assert "larger than 1,000 bytes" in large.data["error"]["message"]


class TestSafety:
    def test_answers_only_for_its_hosts(self, caller: Caller) -> None:
        answer = caller.get("/threads", host="evil.example")

        assert answer.status_code == 400
        assert "ALLOWED_HOSTS" in answer.data["error"]["message"]

    @override_settings(SECURE_SSL_REDIRECT=True)
    def test_refuses_plain_http_where_keys_must_not_be_read(self, caller: Caller) -> None:
        answer = caller.get("/threads")

        assert answer.status_code == 403
        assert "HTTPS" in answer.data["error"]["message"]

    def test_a_bug_says_nothing_of_itself(self, caller: Caller, tenant: Tenant) -> None:
        # Nothing that a client does makes such a row.
        Assistant.objects.create(tenant_id=tenant.pk, model="fast", settings=["not", "a", "mapping"])

        answer = caller.get("/assistants")

        assert answer.status_code == 500
        assert set(answer.data["error"]) == ENVELOPE
        assert answer.data["error"]["type"] == "server_error"
        assert b"Traceback" not in answer.content
        assert b"mapping" not in answer.content

    def test_a_browsers_session_opens_nothing(self, tenant: Tenant) -> None:
        client = Client()
        client.force_login(factories.user(is_superuser=True))

        assert client.get("/v1/threads").status_code == 401

    def test_stands_before_sessions_and_static_files(self) -> None:
        names = settings.MIDDLEWARE

        assert names.index("ai.middleware.api.ApiMiddleware") == names.index("console.health.HealthMiddleware") + 1
