"""Server-sent events: what is sent is what arrives, however it is cut up on the way."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from ai.events import DONE, NAMES, StreamEvent, decode, encode

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
EVENTS = st.lists(st.builds(StreamEvent, st.sampled_from(NAMES[:-1]), st.dictionaries(st.text(), JSON, max_size=4)))


def cut(text: str, places: list[int]) -> list[str]:
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[start:end] for start, end in itertools.pairwise(edges)]


class TestEncode:
    def test_writes_a_frame_on_two_lines(self) -> None:
        event = StreamEvent("thread.message.delta", {"id": "msg_1", "text": "Grüße\n"})

        frame = encode(event)

        assert frame == snapshot('event: thread.message.delta\ndata: {"id":"msg_1","text":"Grüße\\n"}\n\n')

    def test_writes_done_as_the_sdk_expects(self) -> None:
        assert encode(DONE) == "event: done\ndata: [DONE]\n\n"


class TestDecode:
    @given(events=EVENTS, places=st.lists(st.integers(0, 10_000), max_size=12))
    def test_reads_back_what_was_written(self, events: list[StreamEvent], places: list[int]) -> None:
        text = "".join(encode(event) for event in events)

        read = list(decode(cut(text, places)))

        assert read == events

    @given(places=st.lists(st.integers(0, 200), max_size=12))
    def test_takes_every_kind_of_line_end(self, places: list[int]) -> None:
        text = 'event: a\r\ndata: {"x":\r\ndata: 1}\r\n\r\nevent: b\rdata: 2\r\revent: c\ndata: 3\n\n'

        read = list(decode(cut(text, places)))

        assert read == [StreamEvent("a", {"x": 1}), StreamEvent("b", 2), StreamEvent("c", 3)]

    def test_skips_comments_and_an_unfinished_frame(self) -> None:
        read = list(decode([": ping\n\n", "event: a\ndata: 1\n\n", "event: b\ndata: 2\n"]))

        assert read == [StreamEvent("a", 1)]

    def test_gives_text_that_is_no_json_as_it_is(self) -> None:
        assert list(decode([encode(DONE)])) == [DONE]


def test_the_names_are_those_of_the_sdk() -> None:
    from openai.types.beta import AssistantStreamEvent

    union: Any = AssistantStreamEvent
    known = {member.model_fields["event"].annotation.__args__[0] for member in union.__origin__.__args__}

    assert set(NAMES) - {"done"} == known
