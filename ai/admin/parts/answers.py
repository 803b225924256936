"""What became of an act, as the page tells it."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect

from ai.exceptions import AIError, Forbidden, NotFound


def answer(request: HttpRequest, back: str, act: Callable[[], tuple[str, str]]) -> HttpResponse:
    """Do `act`, which returns (message, where to go), and turn what goes wrong into a message at `back`."""
    try:
        done, where = act()
    except Forbidden as error:
        raise PermissionDenied(error.message) from error
    except NotFound as error:
        raise Http404(error.message) from error
    except AIError as error:
        messages.error(request, error.message)
        return HttpResponseRedirect(back)
    if done:
        messages.success(request, done)
    return HttpResponseRedirect(where)
