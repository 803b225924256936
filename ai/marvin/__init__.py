"""
Marvin on Django: any Marvin agent can keep its conversation in our tables and appear in the console.

    marvin.run("Where is my parcel?", thread=DjangoThread(id=thread.pk), handlers=[DjangoHandler()])

Importing this package is cheap; Marvin comes with the first of its names.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ai.marvin.handlers import DjangoHandler
    from ai.marvin.threads import DjangoThread

__all__ = ["DjangoHandler", "DjangoThread"]

_HOMES = {"DjangoHandler": "handlers", "DjangoThread": "threads"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value
