"""Judges for tests: a model on the scripted server, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ai.models import Job, ReviewJudge, ReviewJudgement, ReviewQueue
from ai.services import actors, jobs
from ai.services.reviews import judging
from tests.fakes.vendors import Call, Recorded, Reply
from tests.services.reviews.making import NOW

SAYS_YES = {"helpful": True}


def answering(answers: Any, reason: str = "It says so.", **values: Any) -> Callable[[Recorded], Reply]:
    """What a model does to end Marvin's task: it calls the one tool there is, with its judgement."""

    def reply(request: Recorded) -> Reply:
        said = answers(sent(request)) if callable(answers) else answers
        [tool] = request.json["tools"]
        judgement = {"reason": reason, "answers": said}
        arguments = {"result": judgement} if "result" in parameters(tool)["properties"] else judgement
        return Reply(chunks=(), calls=(Call(tool["function"]["name"], json.dumps(arguments)),), **values)

    return reply


def parameters(tool: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of what a tool takes."""
    found: dict[str, Any] = tool["function"]["parameters"]
    return found


def sent(request: Recorded) -> str:
    """Everything that the model was sent."""
    return json.dumps(request.json["messages"], ensure_ascii=False)


def judgements() -> list[tuple[Any, str]]:
    """(answers, error) of everything that was judged, in the order in which it was asked for."""
    rows = ReviewJudgement.objects.order_by("created", "pk")
    return [(row.answers, row.error) for row in rows]


def judge(queue: ReviewQueue, **values: Any) -> ReviewJudge:
    """A judge of the queue."""
    fixed: dict[str, Any] = {"model_alias": "scripted", "by": actors.SYSTEM, "at": NOW}
    return judging.set_up(queue_id=queue.pk, **(fixed | values))


def run(queue: ReviewQueue, *, now: Callable[[], datetime] = lambda: NOW) -> Job:
    """Let the judge answer what it has not answered."""
    job = judging.start(queue_id=queue.pk, by=actors.SYSTEM, at=NOW)
    jobs.carry_on(job_id=job.pk, worker="w", now=now)
    job.refresh_from_db()
    return job
