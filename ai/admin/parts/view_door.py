"""The door through which the menu of views goes: one word for each thing that it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.utils import timezone

from ai import ids
from ai.admin.parts.answers import answer
from ai.admin.parts.list_views import ALL, VIEW
from ai.exceptions import InvalidInput, NotFound
from ai.services import rendering, saved_views

Done = tuple[str, str]


def act(admin: Any, place: Any, request: HttpRequest) -> HttpResponse:
    """Do what the button says. Deleting is asked about first.

    Raises:
        PermissionDenied, Http404.
    """
    if not place.may_see(request):
        raise PermissionDenied
    if request.method != "POST":
        raise Http404("Nothing can be read there.")
    verb, back = request.POST.get("do", ""), f"{place.url}?{VIEW}={ALL}"
    if verb == "delete" and "confirmed" not in request.POST:
        return _ask(admin, place, request)

    def do() -> Done:
        if verb not in VERBS:
            raise InvalidInput("There is no such button.")
        return VERBS[verb](place, request)

    return answer(request, _back(place, request) or back, do)


def _ask(admin: Any, place: Any, request: HttpRequest) -> HttpResponse:
    try:
        view = saved_views.get(view_id=ids.parse(request.POST.get("view", "")), by=request.user)
    except NotFound as error:
        raise Http404(error.message) from error
    if not saved_views.may_remove(view, by=request.user):
        raise PermissionDenied
    shared = (
        " Others use it, too: it goes from their menus, and from the lists that open with it." if view.is_shared else ""
    )
    hidden = [("do", "delete"), ("view", str(view.pk)), ("confirmed", "yes")]
    response: HttpResponse = admin.confirm(
        request,
        title=f"Delete the view “{rendering.visible(view.name)}”?",
        text=f"Nothing of what it shows is deleted.{shared}",
        button="Delete the view",
        back=_url(place, view),
        hidden=hidden,
        action=place.door,
    )
    return response


def _url(place: Any, view: Any) -> str:
    return f"{place.url}?{VIEW}={view.pk}"


def _back(place: Any, request: HttpRequest) -> str:
    """The list as it was, where something went wrong."""
    given = QueryDict(request.POST.get("state", ""))
    query = place.read(request, given).encoded()
    view = request.POST.get("view", "")
    return f"{place.url}?{query}&{VIEW}={view or ALL}" if given else ""


def _view_id(request: HttpRequest) -> Any:
    return ids.parse(request.POST.get("view", ""))


def _to_keep(place: Any, request: HttpRequest) -> dict[str, Any]:
    state = place.read(request, QueryDict(request.POST.get("state", "")))
    return {"query": state.query, "columns": state.columns, "by": request.user, "at": timezone.now()}


def _save(place: Any, request: HttpRequest) -> Done:
    view = saved_views.make(
        of=place.of,
        name=request.POST.get("name", ""),
        is_shared=request.POST.get("shared") == "yes",
        tenant_id=request.POST.get("tenant") or None,
        **_to_keep(place, request),
    )
    return f"The view “{rendering.visible(view.name)}” is saved.", _url(place, view)


def _update(place: Any, request: HttpRequest) -> Done:
    view = saved_views.update(view_id=_view_id(request), **_to_keep(place, request))
    return f"The view “{rendering.visible(view.name)}” shows this now.", _url(place, view)


def _rename(place: Any, request: HttpRequest) -> Done:
    name = request.POST.get("name", "")
    view = saved_views.rename(view_id=_view_id(request), name=name, by=request.user, at=timezone.now())
    return f"The view is called “{rendering.visible(view.name)}” now.", _url(place, view)


def _share(place: Any, request: HttpRequest) -> Done:
    tenant = request.POST.get("tenant") or None
    view = saved_views.share(view_id=_view_id(request), tenant_id=tenant, by=request.user, at=timezone.now())
    return "The tenant's people see the view now.", _url(place, view)


def _unshare(place: Any, request: HttpRequest) -> Done:
    view = saved_views.unshare(view_id=_view_id(request), by=request.user, at=timezone.now())
    return "Only you see the view now.", _url(place, view)


def _delete(place: Any, request: HttpRequest) -> Done:
    view = saved_views.delete(view_id=_view_id(request), by=request.user, at=timezone.now())
    return f"The view “{rendering.visible(view.name)}” is deleted.", f"{place.url}?{VIEW}={ALL}"


def _default(place: Any, request: HttpRequest) -> Done:
    view = saved_views.open_with(view_id=_view_id(request), by=request.user)
    return f"The list opens with “{rendering.visible(view.name)}” for you.", _url(place, view)


def _no_default(place: Any, request: HttpRequest) -> Done:
    saved_views.open_without(of=place.of, by=request.user)
    return "The list opens with all that there is.", f"{place.url}?{VIEW}={ALL}"


VERBS: dict[str, Callable[[Any, HttpRequest], Done]] = {
    "save": _save,
    "update": _update,
    "rename": _rename,
    "share": _share,
    "unshare": _unshare,
    "delete": _delete,
    "default": _default,
    "no_default": _no_default,
}
