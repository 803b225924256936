"""Where Marvin agents are: the dotted paths of `AI_AGENTS`. Light; a module is imported when its agent is first needed."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from typing import Any

from ai.exceptions import Misconfigured

_PATH = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+")
_importing = Lock()


def problem(path: str) -> str:
    """What is wrong with a path, as far as that shows without importing its module; empty when nothing is."""
    if not _PATH.fullmatch(path):
        return f"{path!r} is no dotted path."
    module, _, _ = path.rpartition(".")
    try:
        found = find_spec(module)  # imports the packages around the module, not the module
    except Exception as error:  # noqa: BLE001 - somebody's package may raise anything
        return f"the packages around {module} cannot be imported: {_said(error)}"
    return "" if found else f"there is no module {module}."


def load(path: str) -> Any:
    """What the path names.

    Raises:
        Misconfigured: it cannot be imported; the message says why.
    """
    if wrong := problem(path):
        raise Misconfigured(told(path, wrong))
    module, _, name = path.rpartition(".")
    with _importing:  # two threads importing the same packages can meet them half loaded
        try:
            found = import_module(module)
        except Exception as error:
            raise Misconfigured(told(path, f"{module} cannot be imported: {_said(error)}")) from error
    try:
        return getattr(found, name)
    except AttributeError as error:
        raise Misconfigured(told(path, f"{module} has no {name}.")) from error


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}."


def told(path: str, wrong: str) -> str:
    return f"AI_AGENTS names {path}, but {wrong} {HINT}"


HINT = "Write the dotted path of a marvin.Agent, or of a function that makes one, such as “shop.agents.support”."
