"""Models by alias, kept while their event loop lives: a vendor's client must not cross loops."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ai.llm import specs
from ai.llm.specs import ModelSpec

if TYPE_CHECKING:
    from pydantic_ai.models import Model

    from ai.llm.providers import Closer


@dataclass
class _Shelf:
    models: dict[str, tuple[ModelSpec, Model]] = field(default_factory=dict)
    closers: list[Closer] = field(default_factory=list)


_shelves: WeakKeyDictionary[asyncio.AbstractEventLoop, _Shelf] = WeakKeyDictionary()
_lock = Lock()


def resolve(alias: str | ModelSpec) -> Model:
    """The model behind an alias or a spec, ready for `request_stream`; it works on the running event loop only.

    An alias is looked up once per loop. Where rows change while a loop lives, pass `spec(alias)`: a spec that differs from
    the last one of its alias makes a new model. (The lookup may be a database query: call it outside the loop.)

    Raises:
        NotFound: no such alias.
        ModelError: there is no key (`authentication_failed`).
        InvalidInput: the base URL is not allowed.
        Misconfigured: a package or a setting is missing.
    """
    shelf = _shelf()
    name = alias if isinstance(alias, str) else alias.alias
    if (kept := shelf.models.get(name)) and (alias is name or kept[0] == alias):
        return kept[1]
    from ai.llm import providers  # noqa: PLC0415 - brings pydantic-ai along

    found = specs.spec(alias) if isinstance(alias, str) else alias
    model, closer = providers.build(found)
    shelf.models[name] = (found, model)
    if closer:
        shelf.closers.append(closer)
    return model


def spec_of(model: Model) -> ModelSpec | None:
    """What `resolve` made this model from on the running event loop; None when it was made elsewhere."""
    return next((spec for spec, kept in _shelf().models.values() if kept is model), None)


async def aclose() -> None:
    """Close the clients of the running event loop; call it before the loop ends."""
    with _lock:
        shelf = _shelves.pop(asyncio.get_running_loop(), None)
    for close in shelf.closers if shelf else ():
        await close()


def _shelf() -> _Shelf:
    loop = asyncio.get_running_loop()
    try:
        return _shelves[loop]
    except KeyError:
        with _lock:
            return _shelves.setdefault(loop, _Shelf())
