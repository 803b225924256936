"""What the installation says about triage: targets by severity, labels by words, and macros."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from ai import conf
from ai.exceptions import InvalidInput
from ai.models import Feedback
from ai.models.feedback import FeedbackState, Severity

#: Who suggests what words speak for.
BY_RULE = "rule"

#: Where the setting names none: what people complain about everywhere.
LABELS: Mapping[str, tuple[str, ...]] = {
    "wrong": ("wrong", "incorrect", "false", "not true", "mistake", "error", "outdated"),
    "made up": ("made up", "hallucinat*", "invented", "does not exist"),
    "incomplete": ("incomplete", "missing", "cut off", "too short"),
    "off topic": ("off topic", "irrelevant", "did not answer", "not what i asked"),
    "slow": ("slow", "took too long", "timeout"),
    "tone": ("rude", "tone", "impolite", "unfriendly", "cold"),
    "language": ("language", "translation", "grammar", "spelling"),
}
MACROS: tuple[Mapping[str, Any], ...] = (
    {"name": "Known fault", "key": "5", "state": "triaged", "severity": 3, "labels": ["known fault"]},
    {"name": "Praise, nothing to do", "key": "6", "state": "resolved", "labels": ["praise"], "reason": "Nothing to do"},
    {"name": "Urgent, mine", "key": "7", "severity": 1, "assign": True},
)


@dataclass(frozen=True)
class Macro:
    """Several steps in one key. Empty values leave things as they are."""

    name: str
    key: str = ""
    state: str = ""
    severity: int = 0
    labels: tuple[str, ...] = ()
    reason: str = ""
    note: str = ""
    assign: bool = False


def due_at(severity: int, *, given_at: datetime) -> datetime | None:
    """Until when feedback of this severity is to be dealt with; None where nobody has said how bad it is."""
    if severity == Severity.UNKNOWN:
        return None
    return given_at + timedelta(hours=conf.current().feedback_target_hours[severity - 1])


def labels_for(tenant_id: UUID | None) -> dict[str, tuple[str, ...]]:
    """The tenant's rules: label → words."""
    given = conf.current().feedback_labels
    own = given.get(str(tenant_id))
    rules = own if isinstance(own, Mapping) else {k: v for k, v in given.items() if not isinstance(v, Mapping)}
    return {str(label): tuple(map(str, words)) for label, words in (rules or LABELS).items()}


@dataclass(frozen=True)
class Suggestion:
    """A label, and who suggests it: "rule", or a model's alias."""

    label: str
    by: str


def suggestions(row: Feedback) -> list[Suggestion]:
    """The labels that a model or the comment's words speak for and the feedback does not have, the model's first."""
    said = row.suggestions if isinstance(row.suggestions, dict) else {}
    known = labels_for(row.tenant_id)
    chosen = [str(label) for label in said.get("labels") or () if label in known and label not in row.labels]
    by_model = [Suggestion(label, str(said.get("model"))) for label in chosen]
    return by_model + [Suggestion(label, BY_RULE) for label in suggested(row) if label not in chosen]


def suggested(row: Feedback) -> list[str]:
    """The labels that the comment's words speak for and the feedback does not have. A word may end in `*`."""
    text = f"{row.comment} {row.label}".casefold()
    found = labels_for(row.tenant_id).items()
    return [label for label, words in found if label not in row.labels and any(_speaks(word, text) for word in words)]


def _speaks(word: str, text: str) -> bool:
    wanted = word.casefold().strip()
    end = "" if wanted.endswith("*") else r"(?!\w)"
    bare = wanted.rstrip("*")
    return bool(bare) and re.search(rf"(?<!\w){re.escape(bare)}{end}", text) is not None


def macros() -> list[Macro]:
    """The macros that there are, in their order."""
    return [_macro(each) for each in conf.current().feedback_macros or MACROS]


def macro(name: str) -> Macro:
    """The macro with this name.

    Raises:
        InvalidInput: there is none.
    """
    for each in macros():
        if each.name == name:
            return each
    raise InvalidInput("There is no such macro any more; load the page again.")


def _macro(said: Mapping[str, Any]) -> Macro:
    state, severity = str(said.get("state", "")), said.get("severity", 0)
    return Macro(
        name=str(said["name"]),
        key=str(said.get("key", ""))[:1],
        state=state if state in FeedbackState.values else "",
        severity=severity if severity in Severity.values else 0,
        labels=tuple(map(str, said.get("labels", ()))),
        reason=str(said.get("reason", "")),
        note=str(said.get("note", "")),
        assign=bool(said.get("assign", False)),
    )
