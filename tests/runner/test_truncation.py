"""What is left of a history that is too long."""

from __future__ import annotations

from typing import Any

import pytest

from ai.runner.truncation import TooLong, tokens, truncated

SYSTEM = {"role": "system", "content": "Be brief."}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "1"}


def talk(count: int) -> list[dict[str, Any]]:
    return [{"role": "user" if n % 2 == 0 else "assistant", "content": f"message {n:02}"} for n in range(count)]


class TestLastMessages:
    def test_keeps_so_many_and_what_the_system_said(self) -> None:
        kept = truncated([SYSTEM, *talk(6)], {"type": "last_messages", "last_messages": 2}, most=None)

        assert kept == [SYSTEM, *talk(6)[-2:]]

    def test_counts_no_calls_and_keeps_them_with_their_results(self) -> None:
        history = [*talk(2), CALL, RESULT, {"role": "assistant", "content": "one"}]

        kept = truncated(history, {"type": "last_messages", "last_messages": 2}, most=None)

        assert kept == history[1:]


class TestMost:
    def test_leaves_out_the_middle(self) -> None:
        history = talk(10)
        room = 4 * tokens(history[0])

        assert truncated(history, {"type": "auto"}, most=room) == [history[0], *history[-3:]]

    def test_leaves_a_history_that_fits_alone(self) -> None:
        assert truncated(talk(4), None, most=1000) == talk(4)

    def test_never_parts_a_call_from_its_result(self) -> None:
        history = [*talk(1), CALL, RESULT, *talk(1)]
        room = tokens(history[0]) * 2 + tokens(RESULT)

        assert truncated(history, {"type": "auto"}, most=room) == [history[0], history[-1]]

    def test_says_when_not_even_the_last_fits(self) -> None:
        with pytest.raises(TooLong):
            truncated(talk(3), {"type": "auto"}, most=3)


def test_a_picture_costs_more_than_a_word() -> None:
    picture = {"role": "user", "content": [{"type": "image_file", "image_file": {"file_id": "file-1"}}]}

    assert tokens(picture) > tokens({"role": "user", "content": "word"})
