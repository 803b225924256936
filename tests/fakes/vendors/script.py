"""What the server is told to answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tests.fakes.vendors.server import Recorded


@dataclass(frozen=True)
class Call:
    """A tool call in an answer."""

    name: str
    arguments: str = "{}"
    """JSON text; streamed in two halves."""
    id: str = "call_1"


@dataclass(frozen=True)
class Reply:
    """An answer; streamed as these chunks, or joined when the client does not stream."""

    chunks: tuple[str, ...] = ("Hello", " there", ".")
    calls: tuple[Call, ...] = ()
    prompt_tokens: int = 11
    """Cached ones included."""
    completion_tokens: int = 7
    cached_tokens: int = 0
    first_byte_delay: float = 0.0
    """Seconds before anything is sent."""
    chunk_delay: float = 0.0
    """Seconds before each chunk of text."""
    finish: Literal["stop", "length"] = "stop"
    broken: Literal["", "disconnect", "garbage", "error"] = ""
    """How the stream breaks: a reset connection, bytes that are not the format, or the vendor's own error event."""
    broken_after: int = 1
    """After this many chunks of text. A client that does not stream sees a broken reply at once."""

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.chunks)


@dataclass(frozen=True)
class Failure:
    """A refusal before the first byte of an answer, in the vendor's words."""

    kind: Literal["rate_limit", "server_error", "context", "unauthorized", "no_model", "redirect"]
    retry_after: float | None = None
    """Seconds, sent the vendor's way."""
    first_byte_delay: float = 0.0


Step = Reply | Failure | Callable[["Recorded"], "Reply | Failure"]
"""One answer, or a function of the request that gives one."""
