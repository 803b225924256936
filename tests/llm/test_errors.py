"""Every exception becomes one of a few codes, in words without keys."""

from __future__ import annotations

import json

import pytest
from pydantic_ai.exceptions import ModelHTTPError, UnexpectedModelBehavior, UserError

from ai import llm
from ai.exceptions import Misconfigured, ModelError, NotFound, UnsupportedByModel
from ai.llm import errors


class Vendor(Exception):
    """A vendor's exception, by what it carries."""

    def __init__(self, status: int | None = None, body: object = None, headers: dict[str, str] | None = None) -> None:
        super().__init__("vendor")
        self.status_code, self.body, self.headers = status, body, headers or {}


class TestTranslate:
    def test_returns_a_model_error_among_the_causes(self) -> None:
        ours = ModelError("Refused.", code="timeout")
        outer = RuntimeError("outer")
        outer.__cause__ = ValueError("between")
        outer.__cause__.__cause__ = ours

        assert llm.translate(outer) is ours
        assert llm.translate(ExceptionGroup("several", [KeyError("x"), ours])) is ours

    @pytest.mark.parametrize(
        ("exception", "code", "retryable"),
        [
            (TimeoutError(), "timeout", True),
            (ConnectionResetError("reset"), "server_error", True),
            (UserError("Model does not support images"), "invalid_prompt", False),
            (UnexpectedModelBehavior("Streamed response ended without content"), "server_error", True),
            (json.JSONDecodeError("bad", "{", 0), "server_error", True),
            (KeyError("choices"), "server_error", False),
            (NotFound("There is no language model."), "model_not_found", False),
            (UnsupportedByModel("No images."), "invalid_prompt", False),
            (Misconfigured("Install it."), "server_error", False),
            (ModelHTTPError(529, "m", {"error": {"type": "overloaded_error"}}), "server_error", True),
            (Vendor(402, {"error": "Payment required"}), "rate_limit_exceeded", False),
            (
                Vendor(429, {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}),
                "rate_limit_exceeded",
                False,
            ),
            (Vendor(403, {"message": "no"}), "authentication_failed", False),
            (Vendor(408), "timeout", True),
            (Vendor(504, "<html>Gateway Timeout</html>"), "timeout", True),
            (
                Vendor(413, {"error": {"message": "Request too large: reduce the length of the messages"}}),
                "context_length_exceeded",
                False,
            ),
            (Vendor(422, b'{"detail": [{"msg": "field required"}]}'), "invalid_prompt", False),
            (Vendor(501, "nope"), "server_error", False),
            (
                Vendor(500, {"error": {"type": "exceed_context_size_error", "message": "x exceed_context_size"}}),
                "context_length_exceeded",
                False,
            ),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
    )
    def test_gives_a_code(self, exception: Exception, code: str, *, retryable: bool) -> None:
        error = llm.translate(exception)

        assert (error.code, error.retryable) == (code, retryable)
        assert error.code in ModelError.CODES

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({"Retry-After": "7"}, 7.0),
            ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
            ({"retry-after": "Mon, 23 Nov 2026 04:00:30 GMT", "date": "Mon, 23 Nov 2026 04:00:00 GMT"}, 30.0),
            ({"retry-after": "soon"}, None),
            ({"retry-after": "-3"}, 0.0),
            ({}, None),
        ],
    )
    def test_reads_when_to_try_again(self, headers: dict[str, str], seconds: float | None) -> None:
        assert llm.translate(Vendor(429, "slow down", headers)).retry_after == seconds

    def test_shortens_what_a_vendor_says_at_length(self) -> None:
        error = llm.translate(Vendor(400, {"error": {"message": "word " * 1000}}))

        assert len(error.message) < errors.MESSAGE_CHARACTERS + 100

    @pytest.mark.parametrize(
        "secret",
        [
            "sk-proj-abcdefghijklmnop",
            "gsk_0123456789abcdef",
            "hf_abcdefghijklmnopqrst",
            "Bearer eyJhbGciOiJIUzI1NiJ9",
            "AIzaSyA1234567890abcdefghij",
        ],
    )
    def test_shows_no_key_that_a_vendor_quotes(self, secret: str) -> None:
        error = llm.translate(Vendor(401, {"error": {"message": f"Incorrect API key provided: {secret}."}}))

        assert secret not in error.message
        assert "Incorrect API key provided" in error.message

    def test_shows_no_key_that_was_used(self) -> None:
        errors.keep_secret("correct horse")

        assert "correct horse" not in llm.translate(Vendor(401, "bad key: correct horse")).message
