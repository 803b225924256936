"""
Vendors' exceptions become one `ModelError`, with one of its few codes and a sentence for people.

The vendors' classes are recognised by what they carry (a status, headers, a body), not by import, so that translating
costs nothing and outlives their renames.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from ai.exceptions import AIError, InvalidInput, ModelError, NotFound

MESSAGE_CHARACTERS = 500

_secrets: set[str] = set()

#: What keys look like, should a vendor quote one that we did not send.
_KEYS = re.compile(
    r"\b(?:sk|pk|gsk|hf|xai|key|ABSK|AIza)[-_]?[A-Za-z0-9_*.\-]{12,}|(?i:bearer)\s+[^\s\"',]{8,}|\bAIza[\w\-]{20,}"
)

_CONTEXT = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum context length|context (?:length|window|size)|"
    r"prompt is too long|input (?:is )?too long|too many (?:input )?tokens|"
    r"input token count.{0,60}exceeds|tokens? (?:limit|exceeds?)|"
    r"`?inputs`? tokens \+ `?max_new_tokens`?|reduce the length|too large for model",
    re.IGNORECASE | re.DOTALL,
)
_AUTHENTICATION = re.compile(
    r"(?:invalid|incorrect|missing|expired|no).{0,20}(?:api|access|security)[ _-]?(?:key|token)|api key not valid|"
    r"authentication_error|invalid_api_key|unrecognizedclient|accessdenied|expiredtoken|permission_denied|unauthorized|"
    r"unable to locate credentials|nocredentials",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model_not_found|model.{0,120}(?:not found|does not exist|not supported|is not available|decommissioned)|"
    r"(?:invalid|unknown|no such).{0,10}model|not_found_error|model identifier is invalid",
    re.IGNORECASE | re.DOTALL,
)
_RATE = re.compile(
    r"rate.?limit|throttl|too many requests|resource_exhausted|quota|tokens per (?:min|day)", re.IGNORECASE
)
_BILLING = re.compile(r"insufficient_quota|billing|credit|payment|spending", re.IGNORECASE)
_OVERLOADED = re.compile(
    r"overloaded|server_error|internal.?(?:server|failure)|unavailable|try again later|api_error", re.IGNORECASE
)
_FILTERED = re.compile(r"content.?filter|content management policy|safety|guardrail|invalid_prompt", re.IGNORECASE)
#: Google's way of saying Retry-After, inside the body.
_RETRY_DELAY = re.compile(r"retryDelay['\"]?\s*:\s*['\"](\d+(?:\.\d+)?)s")
_TIMEOUT_NAMES = ("Timeout", "TimedOut")
_NETWORK_NAMES = (
    "APIConnectionError",
    "ConnectError",
    "ConnectionError",
    "ConnectionClosedError",
    "IncompleteReadError",
    "NetworkError",
    "ProtocolError",
    "ReadError",
    "RemoteProtocolError",
    "ResponseStreamingError",
    "TransportError",
    "WriteError",
)
_UNREADABLE_NAMES = (
    "ChecksumMismatch",
    "DecodeError",
    "EventStreamError",
    "JSONDecodeError",
    "ParserError",
    "ResponseValidationError",
    "UnexpectedModelBehavior",
    "UnicodeDecodeError",
    "UnknownApiResponseError",
    "ValidationError",
)

_WORDS = {
    "rate_limit_exceeded": "The model's provider limits the rate of requests",
    "server_error": "The model's server failed",
    "invalid_prompt": "The model refused the request",
    "context_length_exceeded": "The conversation is longer than the model can read",
    "authentication_failed": "The model's provider refused the API key",
    "model_not_found": "The provider does not know this model",
    "timeout": "The model did not answer in time",
}


@dataclass(frozen=True)
class _Facts:
    """What an exception and its causes tell."""

    status: int | None
    headers: Mapping[str, str]
    text: str
    names: tuple[str, ...]
    delay: float | None


def keep_secret(*secrets: str) -> None:
    """Never let one of `secrets` into a message again."""
    _secrets.update(secret for secret in secrets if len(secret) >= 8)


def redact(text: str) -> str:
    """`text` without keys."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, "…")
    return _KEYS.sub("…", text)


def translate(exc: BaseException) -> ModelError:
    """The `ModelError` that `exc` means; a `ModelError` anywhere among its causes is returned as it is.

    The message holds what the vendor said, shortened, without keys. `retry_after` is the vendor's `Retry-After` in seconds.
    `retryable` says that the same request may succeed later: rate limits, server errors, broken connections, timeouts.
    """
    chain = list(_causes(exc))
    for error in chain:
        if isinstance(error, ModelError):
            return error
        if isinstance(error, AIError):
            return ModelError(error.message, code=_own_code(error))
    facts = _facts(chain)
    code = _code(facts, chain)
    said = _said(facts)
    message = f"{_WORDS[code]}{f' (HTTP {facts.status})' if facts.status else ''}{f': {said}' if said else '.'}"
    return ModelError(message, code=code, retry_after=facts.delay, retryable=_retryable(code, facts))


def _own_code(error: AIError) -> str:
    if isinstance(error, NotFound):
        return "model_not_found"
    return "invalid_prompt" if isinstance(error, InvalidInput) else "server_error"


def _causes(exc: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [exc]
    while waiting:
        error = waiting.pop(0)
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        yield error
        waiting += [error.__cause__, error.__context__]
        if isinstance(error, BaseExceptionGroup):
            waiting += error.exceptions


def _facts(chain: list[BaseException]) -> _Facts:
    status: int | None = None
    headers: Mapping[str, str] = {}
    texts: list[str] = []
    for error in chain:
        status = status or _status(error)
        headers = headers or _headers(error)
        texts += [text for text in (_body(error), str(error)) if text]
    names = tuple(cls.__name__ for error in chain for cls in type(error).__mro__)
    delay = _retry_after(headers)
    if delay is None and (asked := _RETRY_DELAY.search(" ".join(map(str, chain)))):
        delay = float(asked[1])
    return _Facts(status, headers, texts[0] if texts else "", names, delay)


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return _number(response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
    for owner, name in ((error, "status_code"), (error, "code"), (response, "status_code")):
        if found := _number(getattr(owner, name, None)):
            return found
    return None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and 300 <= value <= 599 else None


def _headers(error: BaseException) -> Mapping[str, str]:
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        found = response.get("ResponseMetadata", {}).get("HTTPHeaders")
    else:
        found = getattr(error, "headers", None) or getattr(response, "headers", None)
    return {str(name).lower(): str(value) for name, value in found.items()} if isinstance(found, Mapping) else {}


def _body(error: BaseException) -> str:
    """The vendor's own sentence out of an error's body, else the body."""
    response = getattr(error, "response", None)
    body = response if isinstance(response, dict) else getattr(error, "body", None) or getattr(error, "details", None)
    if isinstance(body, bytes):
        body = body.decode(errors="replace")
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return str(body)
    return _sentence(body)


def _sentence(body: Any) -> str:
    while isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        return body if isinstance(body, str) else ""
    inner = next((body[key] for key in ("error", "Error", "detail", "message", "Message") if body.get(key)), None)
    if isinstance(inner, dict | list):
        return _sentence(inner) or json.dumps(inner, ensure_ascii=False)
    kind = next((str(body[key]) for key in ("code", "Code", "type", "status") if body.get(key)), "")
    return f"{inner} ({kind})" if inner and kind and kind not in str(inner) else str(inner or kind)


def _code(facts: _Facts, chain: list[BaseException]) -> str:
    if facts.status:
        return _code_of_status(facts.status, facts.text)
    if any(isinstance(error, TimeoutError | asyncio.TimeoutError) for error in chain) or any(
        word in name for name in facts.names for word in _TIMEOUT_NAMES
    ):
        return "timeout"
    return _code_of_text(facts.text, otherwise="invalid_prompt" if "UserError" in facts.names else "server_error")


def _code_of_status(status: int, text: str) -> str:
    if status in {401, 403} or (status == 400 and _AUTHENTICATION.search(text)):
        return "authentication_failed"
    if status == 404:
        return "model_not_found"
    if status in {408, 504}:
        return "timeout"
    if status in {402, 429}:
        return "rate_limit_exceeded"
    if status >= 500 or status in {409, 425} or status < 400:
        return "context_length_exceeded" if status == 500 and "exceed_context_size" in text else "server_error"
    return _code_of_text(text, otherwise="invalid_prompt")


def _code_of_text(text: str, *, otherwise: str) -> str:
    for pattern, code in (
        (_CONTEXT, "context_length_exceeded"),
        (_AUTHENTICATION, "authentication_failed"),
        (_RATE, "rate_limit_exceeded"),
        (_NO_MODEL, "model_not_found"),
        (_FILTERED, "invalid_prompt"),
        (_OVERLOADED, "server_error"),
    ):
        if pattern.search(text):
            return code
    return otherwise


def _retryable(code: str, facts: _Facts) -> bool:
    if code == "rate_limit_exceeded":
        return facts.status != 402 and not _BILLING.search(facts.text)
    if code == "timeout":
        return True
    if code != "server_error":
        return False
    if facts.status:
        return facts.status not in {501, 505} and facts.status >= 400
    named = set(facts.names) & {*_NETWORK_NAMES, *_UNREADABLE_NAMES}
    return bool(named) or "OSError" in facts.names or bool(_OVERLOADED.search(facts.text))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from `retry-after-ms` or `retry-after`; a date counts from the response's own `date`."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * scale)
        except (KeyError, ValueError):
            continue
    try:
        until, sent = (parsedate_to_datetime(headers[name]) for name in ("retry-after", "date"))
        return max(0.0, (until - sent).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None


def _said(facts: _Facts) -> str:
    text = " ".join(redact(facts.text).split())
    return text if len(text) <= MESSAGE_CHARACTERS else f"{text[:MESSAGE_CHARACTERS]}…"
