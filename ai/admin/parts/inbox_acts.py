"""What the buttons of the feedback inbox do: one word each, for the open card or for the chosen ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from ai import ids
from ai.admin.parts import inbox_views
from ai.admin.parts.list_views import VIEW
from ai.exceptions import AIError, Forbidden, InvalidInput, NotFound
from ai.models import Feedback
from ai.services import actors
from ai.services.triage import changes, fixes, steps, suggesting, undoing
from ai.services.triage.inbox import Filters


@dataclass
class Order:
    """What is to be done: to which feedback, with which argument and fields."""

    keys: list[UUID]
    argument: str
    said: Mapping[str, Any]
    seen: Mapping[UUID, int] | None
    by: Any
    at: datetime
    #: The card to open afterwards, where it is another one.
    opens: UUID | None = None

    @property
    def to(self) -> dict[str, Any]:
        """What every step asks for."""
        return {"feedback_ids": self.keys, "by": self.by, "at": self.at, "seen": self.seen}


def act(request: HttpRequest) -> HttpResponseRedirect:
    """Do what the button says, and go on to the next card.

    Raises:
        PermissionDenied, Http404.
    """
    said = request.POST
    verb, _, argument = said.get("do", "").partition(":")
    try:
        order = _order(request, argument)
        if verb not in VERBS:
            raise InvalidInput("There is no such button.")
        messages.success(request, VERBS[verb](order))
    except Forbidden as error:
        raise PermissionDenied(error.message) from error
    except NotFound as error:
        if not verb.startswith("undo"):
            raise Http404(error.message) from error
        order.opens = order.keys[0] if order.keys else None
        messages.info(request, error.message)
    except AIError as error:
        messages.error(request, error.message)
        order.opens = order.opens or _parsed(said.get("item", ""))
    return HttpResponseRedirect(_next(request, order))


def _order(request: HttpRequest, argument: str) -> Order:
    """The order that was posted.

    Raises:
        NotFound: an id is none.
    """
    said = request.POST
    picked = [ids.parse(text) for text in said.getlist("pick")]
    item, version = _parsed(said.get("item", "")), said.get("version", "")
    keys = picked or ([item] if item else [])
    seen = {item: int(version)} if item and not picked and version.isascii() and version.isdigit() else None
    return Order(keys, argument, said, seen, request.user, timezone.now())


def _parsed(text: str) -> UUID | None:
    return ids.parse(text) if text else None


def _next(request: HttpRequest, order: Order) -> str:
    """The inbox with the same filters: at the same card as long as the list has it, else at the one that followed it."""
    said = request.POST
    given = {name: values[-1] for name, values in parse_qs(said.get("here", "")).items()}
    filters = Filters.read(given)
    query = inbox_views.query(filters, given.get(VIEW, ""))
    query += f"&{urlencode({'after': given['after']})}" if "after" in given else ""
    wanted = [order.opens] if order.opens else [_parsed(said.get("item", "")), _parsed(said.get("next", ""))]
    there = Feedback.objects.all() if order.opens else filters.rows(by=request.user)
    keys = set(there.filter(pk__in=[key for key in wanted if key]).values_list("pk", flat=True))
    opened = next((key for key in wanted if key in keys), None)
    return f"{reverse('admin:ai_feedback_inbox')}?{query}" + (f"&item={opened}" if opened else "")


def _of(rows: list[Feedback], words: str) -> str:
    return words if len(rows) == 1 else f"{len(rows)} feedback: {words[0].lower()}{words[1:]}"


def _move(order: Order) -> str:
    rows = steps.move(state=order.argument, reason=order.said.get("reason", ""), **order.to)
    return _of(rows, f"{rows[0].get_state_display()}.")


def _assign(order: Order) -> str:
    rows = steps.assign(to=actors.name_of(order.by), **order.to)
    return _of(rows, "Assigned to you.")


def _assign_to(order: Order) -> str:
    to = order.said.get("to", "")
    return _of(steps.assign(to=to, **order.to), f"Assigned to {to}." if to else "Assigned to nobody.")


def _snooze(order: Order) -> str:
    hours, chosen = order.said.get("hours", ""), order.said.get("until", "")
    until = order.at + timedelta(hours=int(hours) if hours.isascii() and hours.isdigit() and len(hours) < 5 else 24)
    if chosen:
        until = _time(chosen)
    return _of(steps.snooze(until=until, **order.to), f"Snoozed until {timezone.localtime(until):%-d %b %H:%M}.")


def _time(text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise InvalidInput("Write the time as a date with hours and minutes.")
    return found if timezone.is_aware(found) else timezone.make_aware(found)


def _severity(order: Order) -> str:
    number = int(order.argument) if order.argument in tuple("01234") else -1
    rows = steps.set_severity(severity=number, **order.to)
    return _of(rows, f"Severity: {rows[0].get_severity_display().lower()}.")


def _label(order: Order) -> str:
    label = order.argument or order.said.get("label", "")
    return _of(steps.add_labels(labels=[label], **order.to), f"Labelled “{label.strip()}”.")


def _unlabel(order: Order) -> str:
    return _of(steps.remove_label(label=order.argument, **order.to), f"No longer labelled “{order.argument}”.")


def _note(order: Order) -> str:
    changes.note(feedback_ids=order.keys, text=order.said.get("note", ""), by=order.by, at=order.at)
    return "The note is kept."


def _macro(order: Order) -> str:
    return _of(steps.run_macro(name=order.argument, **order.to), f"{order.argument}: done.")


def _merge(order: Order) -> str:
    item = _parsed(order.said.get("item", ""))
    if item is None:
        raise NotFound
    count = len(steps.merge(feedback_id=item, by=order.by, at=order.at))
    return f"{count} duplicate{'s' if count > 1 else ''} merged into this one."


def _fixed(order: Order) -> str:
    return _of(fixes.link(run_id=ids.parse(order.argument), **order.to), "Fixed by this replay.")


def _unfixed(order: Order) -> str:
    return _of(fixes.unlink(**order.to), "Not fixed by that replay.")


def _suggest(order: Order) -> str:
    count = suggesting.request(feedback_ids=order.keys, by=order.by, at=order.at)
    whose = "this feedback" if count == 1 else f"{count} feedback"
    return f"The model is asked for labels of {whose}; load the page again in a moment."


def _undo(order: Order) -> str:
    if order.argument:
        done = undoing.undo(event_id=ids.parse(order.argument), by=order.by, at=order.at)
    else:
        done = undoing.undo_last(by=order.by, at=order.at)
    order.opens = done.rows[0].pk
    rest = f" {len(done.conflicts)} not: {done.conflicts[0]}" if done.conflicts else ""
    return _of(done.rows, "Taken back.") + rest


VERBS: dict[str, Callable[[Order], str]] = {
    "state": _move,
    "assign": _assign,
    "assign_to": _assign_to,
    "snooze": _snooze,
    "severity": _severity,
    "label": _label,
    "unlabel": _unlabel,
    "note": _note,
    "macro": _macro,
    "merge": _merge,
    "fixed": _fixed,
    "unfixed": _unfixed,
    "suggest": _suggest,
    "undo": _undo,
}
