"""What the page that compares replays shows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest

from ai.exceptions import NotFound
from ai.models import Run
from ai.services import rendering, replays
from ai.services.triage import fixes

STATUS = {
    "queued": ("Waiting for a worker", "info"),
    "in_progress": ("Writing", "info"),
    "requires_action": ("Waiting for a tool", "warn"),
    "cancelling": ("Stopping", "warn"),
    "cancelled": ("Cancelled", "warn"),
    "failed": ("Failed", "bad"),
    "completed": ("Completed", "good"),
    "incomplete": ("Incomplete", "warn"),
    "expired": ("Expired", "bad"),
}


@dataclass
class Shown:
    """One answer and how it is shown."""

    answer: Any
    key: str
    label: str
    tone: str
    is_original: bool
    is_focus: bool
    promoted_to: UUID | None = None
    diff: str = ""
    fixed: list[Any] = field(default_factory=list)

    @property
    def version(self) -> str:
        """Changes whenever what is shown does."""
        answer = self.answer
        facts = (
            answer.status,
            answer.text,
            answer.steps,
            answer.error_message,
            answer.duration_ms,
            answer.completion_tokens,
            [row.pk for row in self.fixed],
        )
        return hashlib.blake2b(repr(facts).encode(), digest_size=8).hexdigest()


def context(request: HttpRequest, run_id: UUID) -> dict[str, Any]:
    """The comparison of the group that the run belongs to.

    Raises:
        Http404: there is no such replay.
    """
    try:
        found = replays.comparison(run_id=run_id)
    except NotFound as error:
        raise Http404(error.message) from error
    original = _shown(found.original, None, run_id)
    others = [_shown(answer, found.original, run_id) for answer in found.replays]
    active = [shown for shown in others if shown.answer.is_active]
    user: Any = request.user
    said = _said(user, found.replays[0].run_id)
    for shown in others:
        shown.fixed = said.fixed.get(shown.answer.run_id, []) if said else []
    return {
        "complaints": said.open if said else [],
        "comparison": found,
        "thread": found.thread,
        "run_id": run_id,
        "answers": [original, *others],
        "is_active": bool(active),
        "status": _status(len(active), len(others)),
        "models": ",".join(dict.fromkeys(shown.answer.model for shown in others)),
        "may": {
            "fix": user.has_perm("ai.change_feedback"),
            "cancel": user.has_perm("ai.cancel_run"),
            "promote": user.has_perm("ai.add_chatthread"),
            "replay": user.has_perm("ai.replay_run"),
            "runs": user.has_perm("ai.view_run"),
            "threads": user.has_perm("ai.view_chatthread"),
        },
    }


def _said(user: Any, run_id: UUID | None) -> fixes.Complaints | None:
    """What was said of the answer; nothing for those who may not read feedback."""
    run = Run.objects.replays().filter(pk=run_id).first() if user.has_perm("ai.view_feedback") else None
    return fixes.complaints(run) if run else None


def pair(run_id: UUID) -> tuple[str, list[Shown]]:
    """The question, and one replay beside its original.

    Raises:
        NotFound: there is no such replay.
    """
    found = replays.comparison(run_id=run_id)
    replay = next(answer for answer in found.replays if answer.run_id == run_id)
    return found.question, [_shown(found.original, None, run_id), _shown(replay, found.original, run_id)]


def _shown(answer: Any, original: Any, focus: UUID) -> Shown:
    label, tone = STATUS.get(answer.status, (answer.status, "info"))
    return Shown(
        answer=answer,
        key=str(answer.run_id) if original is not None else "original",
        label=label,
        tone=tone,
        is_original=original is None,
        is_focus=original is not None and str(answer.run_id) == str(focus),
        promoted_to=answer.promoted_to,
        diff=rendering.diff(original.text, answer.text, grows=answer.is_active) if original and answer.text else "",
    )


def _status(active: int, total: int) -> str:
    if active:
        return f"{total - active} of {total} finished"
    return "1 replay, finished" if total == 1 else f"{total} replays, all finished"
