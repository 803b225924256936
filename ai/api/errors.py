"""From whatever went wrong to the Assistants API's error object. Never HTML, never a 422, and of a bug no detail."""

from __future__ import annotations

import logging
import math

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from ninja.errors import HttpError

from ai.api.answers import json_answer
from ai.events.errors import envelope, kind_of
from ai.exceptions import AIError, ChangedMeanwhile, Conflict, InvalidInput, ModelError, NotFound, RateLimited, TooLarge

logger = logging.getLogger("ai.api")

BUG = "The server had an error while processing your request. Sorry about that! Try again, or tell its operator."


def answer(request: HttpRequest, error: Exception) -> HttpResponse:
    """The answer that tells a client about `error`."""
    known = _known(error)
    if known is None or known.status == 500:
        logger.error("%s %s failed", request.method, request.path, exc_info=error)
        return json_answer(envelope(BUG, kind=kind_of(500)), status=500)
    # The Assistants API has no 409; a client that sends a version asks for one.
    is_bad = isinstance(known, Conflict) and not isinstance(known, ChangedMeanwhile)
    status = 400 if is_bad else known.status
    code = known.code if isinstance(known, ModelError) else known.error_code
    response = json_answer(envelope(known.message, kind=kind_of(status), param=known.param, code=code), status=status)
    if isinstance(known, RateLimited):
        response["Retry-After"] = str(math.ceil(known.retry_after))
    return response


def _known(error: Exception) -> AIError | None:
    """The error as one of ours; None when it is a bug."""
    if isinstance(error, AIError):
        return error
    if isinstance(error, RequestDataTooBig):
        return TooLarge("The request is larger than this installation accepts.")
    if isinstance(error, SuspiciousOperation | MultiPartParserError | UnreadablePostError):
        return InvalidInput("The request's body could not be read.")
    if isinstance(error, Http404):
        return NotFound(f"Invalid URL ({error})" if str(error) else "")
    if isinstance(error, HttpError) and error.status_code < 500:
        return InvalidInput(error.message)
    return None
