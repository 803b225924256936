"""Views behind an address, which are imported when somebody first goes there: starting does not wait for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

#: Route, name without `ai_<model>_`, view.
Door = tuple[str, str, Callable[..., HttpResponseBase]]


def doors(pages: str, admin: Any, *routes: tuple[str, str, str]) -> list[Door]:
    """A door for each (route, name, view): views of the module `pages`, which are given `admin` and the request."""
    return [(route, name, partial(later(f"{pages}.{view}"), admin)) for route, name, view in routes]


def later(path: str) -> Callable[..., Any]:
    """The view, or what else a page needs, at a dotted path."""

    def called(*args: Any, **kwargs: Any) -> Any:
        return import_string(path)(*args, **kwargs)

    return called
