"""What every format has."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from tests.fakes.vendors.script import Failure, Reply
    from tests.fakes.vendors.server import Recorded

CREATED = 1_790_000_000
Refusal = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Frame:
    """One piece of a stream."""

    data: bytes
    is_text: bool = False


def dump(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def sse(value: Any, *, event: str = "") -> bytes:
    """A server-sent event."""
    return (f"event: {event}\n".encode() if event else b"") + b"data: " + dump(value) + b"\n\n"


def halves(text: str) -> tuple[str, str]:
    """`text` cut in two."""
    middle = len(text) // 2
    return text[:middle], text[middle:]


class Vendor(ABC):
    """A format."""

    base: ClassVar[str] = "/v1"
    """The base URL's path, after the vendor's prefix."""
    path: ClassVar[str] = "/chat/completions"
    """How the path of a request ends."""
    stream_type: ClassVar[str] = "text/event-stream"
    garbage: ClassVar[bytes] = b'data: {"choices":[{"delta":{"con\n\n'

    def accepts(self, request: Recorded) -> bool:
        """Whether the vendor has this path."""
        return request.path.partition("?")[0] == self.base + self.path

    def streams(self, request: Recorded) -> bool:
        """Whether the client asked for a stream."""
        return bool(request.json.get("stream"))

    def wants_usage(self, request: Recorded) -> bool:
        """Whether the stream tells the usage."""
        return True

    def model(self, request: Recorded) -> str:
        """The model asked for."""
        return str(request.json["model"])

    def key(self, request: Recorded) -> str:
        """The API key that came along."""
        return request.headers.get("authorization", "").removeprefix("Bearer ")

    def refusal(self, failure: Failure, request: Recorded) -> Refusal:
        """Status, headers and body of a refusal."""
        if failure.kind == "redirect":
            return 307, {"location": "http://169.254.169.254/latest/meta-data/"}, b""
        headers = {} if failure.retry_after is None else {"retry-after": f"{failure.retry_after:g}"}
        status, body = self.error(failure, request)
        return status, headers, dump(body)

    @abstractmethod
    def frames(self, reply: Reply, model: str, *, usage: bool) -> Iterator[Frame]:
        """The stream of an answer."""

    @abstractmethod
    def whole(self, reply: Reply, model: str) -> bytes:
        """The answer in one piece."""

    @abstractmethod
    def error(self, failure: Failure, request: Recorded) -> tuple[int, Any]:
        """Status and JSON of a refusal."""

    @abstractmethod
    def stream_error(self, request: Recorded) -> bytes:
        """What the vendor sends when it fails in the middle of a stream."""
