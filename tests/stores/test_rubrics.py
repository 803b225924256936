"""Rubrics, and what counts as an answer."""

from __future__ import annotations

from typing import Any

import pytest

from ai.exceptions import InvalidInput
from ai.stores.rubrics import Rubric

QUESTIONS: list[dict[str, Any]] = [
    {"id": "helpful", "type": "yes_no", "text": "Was it helpful?"},
    {"id": "tone", "type": "choice", "text": "The tone?", "options": ["kind", "cold"]},
    {
        "id": "faults",
        "type": "multi_choice",
        "text": "Faults?",
        "options": ["wrong", "long", "rude"],
        "required": False,
    },
    {"id": "score", "type": "number", "text": "A mark?", "minimum": 0, "maximum": 10},
    {"id": "why", "type": "text", "text": "Why?"},
    {"id": "better", "type": "correction", "text": "What should it have said?"},
]
ANSWERS: dict[str, Any] = {"helpful": True, "tone": "kind", "score": 7}


@pytest.fixture
def rubric() -> Rubric:
    """One question of each type."""
    return Rubric.from_json(QUESTIONS)


class TestFromJson:
    def test_gives_back_what_it_was_made_of(self, rubric: Rubric) -> None:
        assert Rubric.from_json(rubric.to_json()) == rubric

    def test_asks_for_texts_without_insisting(self, rubric: Rubric) -> None:
        assert [question.id for question in rubric.questions if not question.required] == ["faults", "why", "better"]

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ([], "at least one question"),
            ("helpful", "at least one question"),
            ([{}], "Question 1: its “id”"),
            (["helpful"], "Question 1: it is an object"),
            ([{"id": "a", "type": "yes_no", "text": " "}], "its “text”"),
            ([{"id": "a", "type": "stars", "text": "A?"}], "its “type” is one of yes_no"),
            ([{"id": "a", "type": "choice", "text": "A?"}], "a list of “options”"),
            ([{"id": "a", "type": "choice", "text": "A?", "options": ["x", "x"]}], "each different"),
            ([{"id": "a", "type": "number", "text": "A?", "minimum": 5, "maximum": 5}], "its “maximum”"),
            ([{"id": "a", "type": "number", "text": "A?", "maximum": float("inf")}], "finite"),
            ([QUESTIONS[0], QUESTIONS[0]], "Two questions have the id “helpful”"),
            ([{"id": f"q{number}", "type": "yes_no", "text": "?"} for number in range(31)], "at most 30"),
        ],
    )
    def test_says_which_question_is_wrong(self, given: Any, said: str) -> None:
        with pytest.raises(InvalidInput, match=said):
            Rubric.from_json(given)


class TestAnswers:
    def test_are_kept_as_what_they_mean(self, rubric: Rubric) -> None:
        given = {
            "helpful": "no",
            "tone": "cold",
            "faults": ["rude", "wrong"],
            "score": "7.5",
            "why": "",
            "better": "Hi.",
        }

        assert rubric.answers(given) == {
            "helpful": False,
            "tone": "cold",
            "faults": ["wrong", "rude"],
            "score": 7.5,
            "better": "Hi.",
        }

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("helpful", "perhaps"),
            ("helpful", 1),
            ("tone", "warm"),
            ("faults", ["wrong", "blue"]),
            ("faults", 3),
            ("score", 11),
            ("score", "many"),
            ("score", True),
            ("score", float("nan")),
            ("why", 3),
            ("better", "x" * 20_001),
            ("colour", "blue"),
        ],
    )
    def test_refuse_what_is_none_and_name_the_question(self, rubric: Rubric, name: str, value: Any) -> None:
        with pytest.raises(InvalidInput) as refused:
            rubric.answers({**ANSWERS, name: value})

        assert refused.value.param == name

    def test_may_not_leave_out_what_is_required(self, rubric: Rubric) -> None:
        with pytest.raises(InvalidInput, match=r"“The tone\?” needs an answer") as refused:
            rubric.answers({"helpful": True, "score": 7})

        assert refused.value.param == "tone"

    def test_of_a_draft_may_leave_out_any(self, rubric: Rubric) -> None:
        assert rubric.answers({"score": 3}, is_draft=True) == {"score": 3}

    def test_take_no_for_an_answer(self, rubric: Rubric) -> None:
        assert rubric.answers({**ANSWERS, "helpful": False})["helpful"] is False

    def test_take_zero_for_a_number(self, rubric: Rubric) -> None:
        assert rubric.answers({**ANSWERS, "score": 0})["score"] == 0
