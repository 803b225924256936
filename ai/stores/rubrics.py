"""Rubrics: what reviewers are asked about a conversation, and what counts as an answer.

A rubric is a list of questions, each `{"id", "type", "text", "required", …}`; answers are a mapping from ids to values:

    yes_no         true or false
    choice         one of `options`
    multi_choice   a list of some of `options`, in their order
    number         a number from `minimum` to `maximum`, both included
    text           a text
    correction     the answer that the assistant should have given, as a text
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from ai.exceptions import InvalidInput
from ai.stores.serialization import clean_text

MOST_QUESTIONS = 30
MOST_OPTIONS = 30
TEXT_CHARACTERS = 500
ANSWER_CHARACTERS = 20_000

_ID = re.compile(r"[a-z][a-z0-9_]{0,49}")


class QuestionType(StrEnum):
    """What kind of answer a question wants."""

    YES_NO = "yes_no"
    CHOICE = "choice"
    MULTI_CHOICE = "multi_choice"
    NUMBER = "number"
    TEXT = "text"
    CORRECTION = "correction"


CHOICES = (QuestionType.CHOICE, QuestionType.MULTI_CHOICE)
TEXTS = (QuestionType.TEXT, QuestionType.CORRECTION)


@dataclass(frozen=True)
class Question:
    """One question of a rubric."""

    id: str
    type: QuestionType
    text: str
    required: bool = True
    options: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    help: str = ""

    def to_json(self) -> dict[str, Any]:
        """The question as it is kept, without what it does not have."""
        found = asdict(self) | {"type": str(self.type), "options": list(self.options)}
        return {name: value for name, value in found.items() if value not in ([], None, "")}

    def accept(self, given: Any) -> Any:
        """The answer as it is kept.

        Raises:
            InvalidInput: it is no answer to this question; `param` is the question's id.
        """
        try:
            return _ACCEPT[self.type](self, given)
        except ValueError as error:
            raise InvalidInput(f"“{self.text}”: {error}", param=self.id) from None


@dataclass(frozen=True)
class Rubric:
    """The questions of a rubric, in their order."""

    questions: tuple[Question, ...] = field(default=())

    @classmethod
    def from_json(cls, given: Any) -> Rubric:
        """The rubric that a list of questions describes.

        Raises:
            InvalidInput: it describes none, and says which question is wrong.
        """
        if not isinstance(given, Sequence) or isinstance(given, str) or not given:
            raise InvalidInput("A rubric has at least one question.", param="questions")
        if len(given) > MOST_QUESTIONS:
            raise InvalidInput(f"A rubric has at most {MOST_QUESTIONS} questions.", param="questions")
        questions = tuple(_question(number, each) for number, each in enumerate(given, start=1))
        ids = [question.id for question in questions]
        if twice := next((each for each in ids if ids.count(each) > 1), None):
            raise InvalidInput(f"Two questions have the id “{twice}”.", param="questions")
        return cls(questions)

    def to_json(self) -> list[dict[str, Any]]:
        """The rubric as it is kept."""
        return [question.to_json() for question in self.questions]

    def answers(self, given: Mapping[str, Any], *, is_draft: bool = False) -> dict[str, Any]:
        """The answers as they are kept; a draft may leave out any of them.

        Raises:
            InvalidInput: an answer is wrong or missing, or belongs to no question; `param` is the question's id.
        """
        known = {question.id for question in self.questions}
        if strange := next((each for each in given if each not in known), None):
            raise InvalidInput(f"The rubric has no question “{str(strange)[:50]}”.", param=str(strange)[:50])
        kept = {}
        for question in self.questions:
            value = given.get(question.id)
            if value not in (None, "", []):
                kept[question.id] = question.accept(value)
            elif question.required and not is_draft:
                raise InvalidInput(f"“{question.text}” needs an answer.", param=question.id)
        return kept


def _question(number: int, given: Any) -> Question:
    if not isinstance(given, Mapping):
        raise InvalidInput(f"Question {number}: it is an object with “id”, “type” and “text”.", param="questions")
    try:
        return _checked(given)
    except ValueError as error:
        raise InvalidInput(f"Question {number}: {error}.", param="questions") from None


def _checked(given: Mapping[str, Any]) -> Question:
    text = clean_text(str(given.get("text") or "")).strip()
    key = str(given.get("id") or "")
    if not _ID.fullmatch(key):
        raise ValueError("its “id” is of small letters, digits and _, and begins with a letter")
    if not 0 < len(text) <= TEXT_CHARACTERS:
        raise ValueError(f"its “text” is what is asked, in at most {TEXT_CHARACTERS} characters")
    if given.get("type") not in set(QuestionType):
        raise ValueError(f"its “type” is one of {', '.join(QuestionType)}")
    kind = QuestionType(given["type"])
    more: dict[str, Any] = {}
    if kind in CHOICES:
        more["options"] = _options(given.get("options"))
    elif kind == QuestionType.NUMBER:
        more["minimum"], more["maximum"] = _range(given)
    required = given.get("required", kind not in TEXTS)
    return Question(key, kind, text, required=bool(required), help=clean_text(str(given.get("help") or "")), **more)


def _options(given: Any) -> tuple[str, ...]:
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ValueError("it needs a list of “options”")  # noqa: TRY004 - one kind of error
    options = tuple(clean_text(str(each)).strip() for each in given)
    if not 2 <= len(options) <= MOST_OPTIONS or len(set(options)) != len(options) or not all(options):
        raise ValueError(f"it needs between 2 and {MOST_OPTIONS} “options”, each different")
    return options


def _range(given: Mapping[str, Any]) -> tuple[float, float]:
    low, high = _number(given.get("minimum", 1)), _number(given.get("maximum", 5))
    if low >= high:
        raise ValueError("its “maximum” is more than its “minimum”")
    return low, high


def _number(given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise ValueError("a number is needed")  # noqa: TRY004 - one kind of error
    value = float(given)
    if not math.isfinite(value):
        raise ValueError("a finite number is needed")
    return int(value) if value.is_integer() else value


# -- Answers


def _yes_no(question: Question, given: Any) -> bool:
    said = {True: True, False: False, "yes": True, "no": False, "true": True, "false": False}
    if not isinstance(given, bool | str) or given not in said:
        raise ValueError("answer yes or no.")
    return said[given]


def _choice(question: Question, given: Any) -> str:
    if given not in question.options:
        raise ValueError(f"choose one of {', '.join(question.options)}.")
    return str(given)


def _multi_choice(question: Question, given: Any) -> list[str]:
    chosen = [given] if isinstance(given, str) else given
    if not isinstance(chosen, Sequence) or any(each not in question.options for each in chosen):
        raise ValueError(f"choose some of {', '.join(question.options)}.")
    return [option for option in question.options if option in chosen]


def _in_range(question: Question, given: Any) -> float:
    try:
        value = _number(given)
    except ValueError:
        value = math.nan
    if not (question.minimum or 0) <= value <= (question.maximum or 0):
        raise ValueError(f"give a number from {question.minimum:g} to {question.maximum:g}.")
    return value


def _text(question: Question, given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError("answer with a text.")  # noqa: TRY004 - one kind of error
    if len(given) > ANSWER_CHARACTERS:
        raise ValueError(f"use at most {ANSWER_CHARACTERS:,} characters.")
    return clean_text(given)


_ACCEPT = {
    QuestionType.YES_NO: _yes_no,
    QuestionType.CHOICE: _choice,
    QuestionType.MULTI_CHOICE: _multi_choice,
    QuestionType.NUMBER: _in_range,
    QuestionType.TEXT: _text,
    QuestionType.CORRECTION: _text,
}
