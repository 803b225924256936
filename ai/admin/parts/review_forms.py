"""Forms of reviews: making a queue, filling it, and answering a rubric."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest
from django.utils.text import slugify
from unfold import widgets

from ai import tenancy
from ai.admin.parts.forms import tenant_field
from ai.models.reviews import MOST_REVIEWS, ReviewUnit
from ai.stores.rubrics import CHOICES, Question, QuestionType, Rubric

#: Rows for questions in the form; empty ones are passed over.
ROWS = 10

TYPES = (
    (QuestionType.YES_NO, "Yes or no"),
    (QuestionType.CHOICE, "One of several"),
    (QuestionType.MULTI_CHOICE, "Some of several"),
    (QuestionType.NUMBER, "A number in a range"),
    (QuestionType.TEXT, "A text"),
    (QuestionType.CORRECTION, "The corrected answer"),
)
FIRST_QUESTIONS = (
    {"text": "Was the answer helpful?", "type": QuestionType.YES_NO, "required": True},
    {"text": "Why?", "type": QuestionType.TEXT, "required": False},
)

_RANGE = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*(?:-|\u2013|to|\.\.)\s*(-?\d+(?:\.\d+)?)\s*")


class QueueForm(forms.Form):
    """A new queue; its questions are in the rows beneath."""

    name = forms.CharField(max_length=200, widget=widgets.UnfoldAdminTextInputWidget(attrs={"autofocus": True}))
    unit = forms.ChoiceField(
        label="What is reviewed", choices=ReviewUnit.choices, widget=widgets.UnfoldAdminSelectWidget
    )
    reviews_per_item = forms.IntegerField(
        label="Reviews of each",
        min_value=1,
        max_value=MOST_REVIEWS,
        initial=1,
        widget=widgets.UnfoldAdminIntegerFieldWidget,
        help_text="By so many different people. With two or more, their agreement is measured.",
    )
    reservation_minutes = forms.IntegerField(
        label="Minutes for one review",
        min_value=1,
        max_value=24 * 60,
        initial=30,
        widget=widgets.UnfoldAdminIntegerFieldWidget,
        help_text="What somebody took and did not answer is offered to others after that.",
    )
    instructions = forms.CharField(
        required=False,
        widget=widgets.UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text="What reviewers read first. Markdown.",
    )

    def __init__(self, data: Any = None, *, request: HttpRequest) -> None:
        super().__init__(data)
        if field := tenant_field(request):
            self.fields = {"tenant": field, **self.fields}

    def arguments(self) -> dict[str, Any]:
        """What `services.reviews.queues.make` takes, without the questions."""
        values = dict(self.cleaned_data)
        tenant = values.pop("tenant", "")
        return {**values, "tenant_id": UUID(tenant) if tenant else tenancy.get_current_tenant_id()}


@dataclass(frozen=True)
class Row:
    """A question as it stands in the form."""

    number: int
    text: str = ""
    type: str = QuestionType.YES_NO
    details: str = ""
    required: bool = True


def rows(given: Mapping[str, Any] | None, rubric: Rubric | None = None) -> list[Row]:
    """The form's rows: what was posted, else the rubric's questions, else a beginning."""
    if given is not None:
        return [_posted(given, number) for number in range(ROWS)]
    if rubric is not None:
        found = [Row(n, q.text, q.type, _details(q), q.required) for n, q in enumerate(rubric.questions)]
    else:
        found = [Row(n, q["text"], q["type"], "", q["required"]) for n, q in enumerate(FIRST_QUESTIONS)]  # type: ignore[arg-type]
    return [*found, *(Row(number) for number in range(len(found), ROWS))]


def _posted(given: Mapping[str, Any], number: int) -> Row:
    def value(name: str) -> str:
        return str(given.get(f"question_{number}_{name}") or "").strip()

    return Row(number, value("text"), value("type"), value("details"), bool(value("required")))


def _details(question: Question) -> str:
    if question.type == QuestionType.NUMBER:
        return f"{question.minimum:g} to {question.maximum:g}"
    return ", ".join(question.options)


def questions(found: list[Row], before: Rubric | None = None) -> list[dict[str, Any]]:
    """The questions as a rubric has them. One whose text stays keeps its id, so that its answers can be compared."""
    known = {question.text: question.id for question in before.questions} if before else {}
    taken: set[str] = set()
    made = []
    for row in found:
        if row.text:
            key = known.get(row.text) or _id(row, taken)
            taken.add(key)
            made.append({"id": key, "type": row.type, "text": row.text, "required": row.required, **_more(row)})
    return made


def _id(row: Row, taken: set[str]) -> str:
    slug = slugify(row.text).replace("-", "_")[:40].strip("_")
    key = slug if re.match(r"[a-z]", slug) else f"q_{slug or row.number + 1}"
    while key in taken:
        key += "_2"
    return key


def _more(row: Row) -> dict[str, Any]:
    if row.type in CHOICES:
        return {"options": [option.strip() for option in row.details.split(",") if option.strip()]}
    if row.type == QuestionType.NUMBER and row.details:
        found = _RANGE.fullmatch(row.details)
        return {"minimum": found[1], "maximum": found[2]} if found else {"minimum": row.details}
    return {}


# -- Answers


@dataclass(frozen=True)
class Field:
    """A question as it is asked, with what is answered so far."""

    question: Question
    value: Any
    error: str = ""

    @property
    def name(self) -> str:
        """The form field's."""
        return f"q_{self.question.id}"

    @property
    def choices(self) -> list[tuple[str, str, bool]]:
        """(value, words, whether it is chosen) of what can be pressed; none for texts and wide ranges."""
        kind = self.question.type
        if kind == QuestionType.YES_NO:
            return [("yes", "Yes", self.value is True), ("no", "No", self.value is False)]
        if kind in CHOICES:
            chosen = self.value if isinstance(self.value, list) else [self.value]
            return [(option, option, option in chosen) for option in self.question.options]
        if kind == QuestionType.NUMBER and self._steps:
            return [(str(step), str(step), self.value == step) for step in self._steps]
        return []

    @property
    def _steps(self) -> range:
        """The numbers of a small range of whole ones."""
        low, high = self.question.minimum or 0, self.question.maximum or 0
        small = float(low).is_integer() and float(high).is_integer() and high - low < 10
        return range(int(low), int(high) + 1) if small else range(0)

    @property
    def words(self) -> str:
        """The answer as people read it."""
        if isinstance(self.value, bool):
            return "Yes" if self.value else "No"
        return ", ".join(self.value) if isinstance(self.value, list) else "" if self.value is None else str(self.value)

    @property
    def is_multiple(self) -> bool:
        """Whether several can be chosen."""
        return self.question.type == QuestionType.MULTI_CHOICE


def fields(rubric: Rubric, values: Mapping[str, Any], *, wrong: str = "", error: str = "") -> list[Field]:
    """What is asked; `error` stands at the question with the id `wrong`."""
    return [Field(q, values.get(q.id), error if q.id == wrong else "") for q in rubric.questions]


def posted(rubric: Rubric, given: Any) -> dict[str, Any]:
    """The answers in a posted form (a `QueryDict`), not yet checked."""
    found: dict[str, Any] = {}
    for question in rubric.questions:
        values = given.getlist(f"q_{question.id}")
        if question.type == QuestionType.MULTI_CHOICE:
            found[question.id] = values
        elif values:
            found[question.id] = values[-1]
    return found
