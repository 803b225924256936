"""The Assistants API's stream events: what they are, how they look as JSON, and how they travel as server-sent events."""

from ai.events.sse import decode, encode
from ai.events.types import DONE, NAMES, StreamEvent

__all__ = ["DONE", "NAMES", "StreamEvent", "decode", "encode"]
