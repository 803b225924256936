"""What became of the demo data's feedback: told as if colleagues had been at it since it was given.

The audit log has one entry for all of it, that the demo data was loaded: nobody did these things here.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from ai import ids
from ai.models import Feedback, FeedbackEvent, Message
from ai.models.feedback import FeedbackState
from ai.models.feedback_events import EventKind
from ai.services.triage import rules
from ai.stores.serialization import to_serializable

Json = dict[str, Any]


def load(path: Path, *, at: datetime) -> None:
    """Give the feedback of the file and triage it. What was here before, and what somebody has triaged, stays as it is."""
    if not path.is_file():
        return
    for entry in json.loads(path.read_text(encoding="utf-8")):
        row = _given(entry)
        if row is not None:
            for step in entry["steps"]:
                _take(row, step, now=at)


def _given(entry: Json) -> Feedback | None:
    """The feedback that an entry is about; None where it is not as the demo data left it."""
    about = {"thread_id": str(UUID(entry["thread"])), "sequence": entry["message"] + 1}
    message = Message.objects.filter(**about).first()
    if message is None:
        return None
    row: Feedback | None = Feedback.objects.filter(message_id=message.pk, user_id=entry["user"]).first()
    if "given" not in entry:
        return row if row and not row.version else None
    if row is not None:
        return None
    when = message.created + timedelta(minutes=entry["minutes"])
    return Feedback.objects.give(message=message, feedback=entry["given"], user_id=entry["user"], at=when)


def _take(row: Feedback, step: Json, *, now: datetime) -> None:
    """Take a step: change the feedback, note something, or both."""
    when, by = row.given_at + timedelta(hours=step["hours"]), step["by"]
    said = {"tenant_id": row.tenant_id, "feedback_id": row.pk, "thread_id": row.thread_id, "by": by, "at": when}
    said["batch"] = ids.new(at=when.timestamp())
    new = _values(row, step, now=now)
    if new:
        before = to_serializable({name: getattr(row, name) for name in new})
        Feedback.objects.change(row, new, by=by, at=when)
        after = to_serializable(new)
        FeedbackEvent.objects.add(
            FeedbackEvent(**said, kind=EventKind.CHANGE, version=row.version, before=before, after=after)
        )
    if step.get("note"):
        FeedbackEvent.objects.add(FeedbackEvent(**said, kind=EventKind.NOTE, version=row.version, text=step["note"]))


def _values(row: Feedback, step: Json, *, now: datetime) -> Json:
    values: Json = {name: step[name] for name in ("labels", "reason", "assignee") if name in step}
    if "severity" in step:
        values |= {"severity": step["severity"], "due_at": rules.due_at(step["severity"], given_at=row.given_at)}
    if "assignee" in step:
        values["state"] = FeedbackState.ASSIGNED
    if "state" in step:
        values["state"] = FeedbackState(step["state"])
    if "snooze_days" in step:
        until = now + timedelta(days=step["snooze_days"])
        values |= {"state": FeedbackState.SNOOZED, "snoozed_until": until}
    if "duplicate_of" in step:
        other = Feedback.objects.get(message_id=row.message_id, user_id=step["duplicate_of"])
        values |= {"state": FeedbackState.DISMISSED, "duplicate_of": other.pk, "reason": "Duplicate"}
    return values
