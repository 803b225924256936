"""JSON answers, and what the OpenAPI document says about them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ParamSpec

from django.http import HttpResponse
from ninja import Schema

from ai.api import database

P = ParamSpec("P")

#: What any operation may answer instead.
REFUSALS = frozenset({400, 401, 403, 404, 413, 429, 500})


class ErrorDetail(Schema):
    """What went wrong: `param` names the field of the request, `code` is for programs."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorAnswer(Schema):
    """The body of every answer that is an error."""

    error: ErrorDetail


def documented(model: Any, *more: int) -> dict[Any, Any]:
    """An operation's `response=`: it answers `model`, or an error with one of the statuses that every operation may answer
    or `more` of them.
    """
    return {200: model, REFUSALS | frozenset(more): ErrorAnswer}


def json_answer(body: Any, *, status: int = 200) -> HttpResponse:
    """`body` as JSON. Views answer with this, not with objects that would be validated a second time."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return HttpResponse(text.encode("utf-8", "replace"), status=status, content_type="application/json")


async def reply(function: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
    """The answer with what `function` returns; it runs, and its result is written, where the database may be used."""
    return await database.run(lambda: json_answer(function(*args, **kwargs)))
