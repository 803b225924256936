"""Views behind an address, which are imported when somebody first goes there: starting does not wait for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

#: Route, name without `ai_<model>_`, view.
Door = tuple[str, str, Callable[..., HttpResponseBase]]


def later(path: str) -> Callable[..., Any]:
    """The view, or what else a page needs, at a dotted path."""

    def called(*args: Any, **kwargs: Any) -> Any:
        return import_string(path)(*args, **kwargs)

    return called
