"""Saved views: what a list shows, kept under a name, for oneself or for a tenant's people.

A list is named by its model ("ai.chatthread"); a page with a list of its own by one more word ("ai.feedback.inbox").
Whoever may see a list may keep views of it. A view holds no rows, only what to look for: it shows everybody no more than
they may see anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from ai.exceptions import Conflict, Forbidden, InvalidInput, NotFound, OutsideTenant
from ai.models import SavedView, ViewDefault
from ai.services import actors, audit, permissions

SHARE, DELETE = "ai.share_savedview", "ai.delete_savedview"

NAME_CHARACTERS = 100
#: What one view may hold, and how many a person may have of one list.
MOST_PARAMETERS, MOST_CHARACTERS, MOST_COLUMNS, MOST_VIEWS = 30, 500, 50, 50
#: So many are offered at a list: the person's default and the chosen one in any case.
MOST_OFFERED = 200


def offered(*, of: str, by: Any, chosen: UUID | None = None) -> list[SavedView]:
    """The views of a list that this person sees, each with `is_default`, by name: one query."""
    rows = SavedView.objects.of_list(of, person=actors.id_of(by), chosen=chosen)[:MOST_OFFERED]
    return sorted(rows, key=lambda row: (row.name.casefold(), str(row.pk)))


def is_mine(view: SavedView, *, by: Any) -> bool:
    """Whether this person made it."""
    return bool(view.owner_id == actors.id_of(by))


def may_remove(view: SavedView, *, by: Any) -> bool:
    """Whether this person may delete it: their own, or a shared one with the permission."""
    return is_mine(view, by=by) or bool(view.is_shared and by.has_perm(DELETE))


def make(
    *,
    of: str,
    name: str,
    query: Mapping[str, str],
    columns: Iterable[str] = (),
    is_shared: bool = False,
    tenant_id: UUID | str | None = None,
    by: Any,
    at: datetime,
) -> SavedView:
    """Keep what a list shows. A shared view is for the people of `tenant_id`, or of the only tenant in scope.

    Raises:
        Forbidden: the person may not see the list, or not share.
        InvalidInput: there is no name, or too much of something.
        Conflict: they have a view with this name, or as many as a person may have.
    """
    _require_list(of, by)
    owner = actors.id_of(by)
    if SavedView.objects.of_person(owner, of=of).count() >= MOST_VIEWS:
        raise Conflict(f"You have {MOST_VIEWS} views of this list; delete one that you need no longer.")
    tenant = _shared_with(tenant_id, by) if is_shared else None
    view = SavedView(
        of=of,
        name=_name(name),
        owner_id=owner,
        owner_name=actors.name_of(by),
        is_shared=is_shared,
        tenant_id=tenant,
        query=_query(query),
        columns=_columns(columns),
        created=at,
        modified=at,
    )
    SavedView.objects.make(view)
    if is_shared:
        audit.record("view.shared", by=by, at=at, target=view, tenant_id=tenant, name=view.name, list=of)
    return view


def rename(*, view_id: UUID, name: str, by: Any, at: datetime) -> SavedView:
    """Give one's view another name.

    Raises:
        NotFound, Forbidden, InvalidInput, Conflict.
    """
    view, wanted = _own(view_id, by), _name(name)
    return _changed(view, {"name": wanted}, by=by, at=at)


def update(*, view_id: UUID, query: Mapping[str, str], columns: Iterable[str] = (), by: Any, at: datetime) -> SavedView:
    """Let one's view show what the list shows now.

    Raises:
        NotFound, Forbidden, InvalidInput.
    """
    view = _own(view_id, by)
    return _changed(view, {"query": _query(query), "columns": _columns(columns)}, by=by, at=at)


def share(*, view_id: UUID, tenant_id: UUID | str | None = None, by: Any, at: datetime) -> SavedView:
    """Show one's view to the people of a tenant.

    Raises:
        NotFound, Forbidden.
        InvalidInput: several tenants are in scope, and none is chosen.
    """
    view = _own(view_id, by)
    values = {"is_shared": True, "tenant_id": _shared_with(tenant_id, by)}
    return _changed(view, values, by=by, at=at, action="view.shared")


def unshare(*, view_id: UUID, by: Any, at: datetime) -> SavedView:
    """Keep one's view for oneself again.

    Raises:
        NotFound, Forbidden.
    """
    view = _own(view_id, by)
    tenant, values = view.tenant_id, {"is_shared": False, "tenant_id": None}
    made = _changed(view, values, by=by, at=at, action="")
    if tenant is not None:
        audit.record("view.unshared", by=by, at=at, target=made, tenant_id=tenant, name=made.name, list=made.of)
    return made


def delete(*, view_id: UUID, by: Any, at: datetime) -> SavedView:
    """Delete a view: one's own, or a shared one with the permission.

    Raises:
        NotFound, Forbidden.
    """
    view = get(view_id=view_id, by=by)
    if not may_remove(view, by=by):
        raise Forbidden("Only the person who made a view, or a lead, deletes it.")
    if not SavedView.objects.remove(view.pk):
        raise NotFound
    if view.is_shared:
        tenant = view.tenant_id
        audit.record("view.deleted", by=by, at=at, target=view, tenant_id=tenant, name=view.name, list=view.of)
    return view


def open_with(*, view_id: UUID, by: Any) -> SavedView:
    """Open the view's list with it from now on: for this person alone.

    Raises:
        NotFound, Forbidden.
    """
    view = get(view_id=view_id, by=by)
    _require_list(view.of, by)
    ViewDefault.objects.choose(person=actors.id_of(by), of=view.of, view_id=view.pk)
    return view


def open_without(*, of: str, by: Any) -> None:
    """Open the list as it is: for this person alone."""
    ViewDefault.objects.drop(person=actors.id_of(by), of=of)


def get(*, view_id: UUID, by: Any) -> SavedView:
    """A view that this person sees.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    view = SavedView.objects.seen_by(actors.id_of(by)).filter(pk=view_id).first()
    if view is None:
        raise NotFound("This view is not shared with you, or it was deleted.")
    return view


def _own(view_id: UUID, by: Any) -> SavedView:
    view = get(view_id=view_id, by=by)
    if not is_mine(view, by=by):
        raise Forbidden("Only the person who made a view changes it; save one of your own instead.")
    _require_list(view.of, by)
    return view


def _changed(
    view: SavedView, values: dict[str, Any], *, by: Any, at: datetime, action: str = "view.changed"
) -> SavedView:
    if view.is_shared and not by.has_perm(SHARE) and values.get("is_shared", True):
        raise Forbidden("What others see is changed by those who may share views.")
    if not SavedView.objects.change(view.pk, person=actors.id_of(by), at=at, **values):
        raise NotFound
    for name, value in values.items():
        setattr(view, name, value)
    if action and view.is_shared:
        audit.record(action, by=by, at=at, target=view, tenant_id=view.tenant_id, name=view.name, list=view.of)
    return view


def _require_list(of: str, by: Any) -> None:
    app, _, rest = of.partition(".")
    model = rest.partition(".")[0]
    if not (by.is_active and any(by.has_perm(f"{app}.{verb}_{model}") for verb in ("view", "change"))):
        raise Forbidden("You may not see this list.")


def _shared_with(tenant_id: UUID | str | None, by: Any) -> UUID:
    """The tenant whose people see it.

    Raises:
        Forbidden, InvalidInput.
    """
    permissions.require(by, SHARE)
    try:
        return SavedView.objects.tenant_for_new_row(tenant_id or None)
    except (OutsideTenant, ValueError):
        raise InvalidInput("Choose the tenant whose people are to see the view.", param="tenant") from None


def _name(text: str) -> str:
    name = " ".join(_clean(text).split())
    if not name or len(name) > NAME_CHARACTERS:
        raise InvalidInput(f"Give the view a name of at most {NAME_CHARACTERS} characters.", param="name")
    return name


def _query(given: Mapping[str, str]) -> dict[str, str]:
    found = {_clean(name): _clean(value) for name, value in given.items()}
    if len(found) > MOST_PARAMETERS or any(len(text) > MOST_CHARACTERS for pair in found.items() for text in pair):
        raise InvalidInput("These are more filters, or longer words, than a view can hold.")
    return {name: value for name, value in found.items() if name and value}


def _columns(given: Iterable[str]) -> list[str]:
    found = list(dict.fromkeys(_clean(name) for name in given))
    if len(found) > MOST_COLUMNS or any(len(name) > MOST_CHARACTERS for name in found):
        raise InvalidInput("These are more columns than a view can hold.")
    return [name for name in found if name]


def _clean(text: Any) -> str:
    """Without what no database keeps."""
    return str(text).replace("\x00", "").strip()
