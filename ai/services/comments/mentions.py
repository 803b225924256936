"""Whom a text mentions: `@name`, where `name` is the user name of somebody of the tenant who may read the conversation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ai.services import people, rendering

#: What somebody needs to be mentioned: the conversation is theirs to read, and with one of these what is said about it.
NEEDED, ONE_OF = "view_chatthread", ("view_message", "comment_message")

#: More names than this in one text are plain text.
MOST_MENTIONS, MOST_OFFERED = 20, 8

_MENTION = re.compile(r"(?<![\w@.+-])@([\w.@+-]{1,150})")
#: What a name can end with, and a sentence too.
_ENDINGS = ".@+-"


def candidates(text: str) -> list[str]:
    """The names that follow an @, each also without the full stop that may end a sentence."""
    found: dict[str, None] = {}
    for name in _MENTION.findall(text):
        found.update(dict.fromkeys(_shortened(name)))
        if len(found) >= 4 * MOST_MENTIONS:
            break
    return list(found)


def _shortened(name: str) -> list[str]:
    names = [name]
    while name and name[-1] in _ENDINGS:
        name = name[:-1]
        names.append(name)
    return [each for each in names if each][:4]


def readers(tenant_id: UUID | None) -> QuerySet[Any]:
    """Those of the tenant who may open the comments on its messages, by user name."""
    may = Q()
    for codename in ONE_OF:
        may |= Q(pk__in=people.of_tenant(tenant_id, codename=codename).order_by().values("pk"))
    return people.of_tenant(tenant_id, codename=NEEDED).filter(may)


def people_in(text: str, *, tenant_id: UUID | None, codename: str = "") -> list[Any]:
    """The users whom the text mentions: readers of comments, or whoever has the permission `codename`.

    Somebody who may not read what is said is not mentioned: it is plain text.
    """
    names = candidates(text)
    if not names:
        return []
    found = people.of_tenant(tenant_id, codename=codename) if codename else readers(tenant_id)
    return list(found.filter(username__in=names)[:MOST_MENTIONS])


def offered(beginning: str, *, tenant_id: UUID | None) -> list[dict[str, str]]:
    """At most eight people whose user name, first or last name begins so: `{"name", "label"}`."""
    rows = readers(tenant_id)
    if beginning:
        wanted = Q(username__istartswith=beginning)
        wanted |= Q(first_name__istartswith=beginning) | Q(last_name__istartswith=beginning)
        rows = rows.filter(wanted)
    return [
        {"name": str(user.get_username()), "label": rendering.visible(user.get_full_name())}
        for user in rows[:MOST_OFFERED]
    ]


def html(text: str, names: Iterable[str]) -> SafeString:
    """The text as it stands, line by line, the mentioned names marked."""
    known = set(names)
    pieces: list[SafeString] = []
    place = 0
    for found in _MENTION.finditer(text):
        name = next((each for each in _shortened(found[1]) if each in known), "")
        if not name:
            continue
        end = found.start(1) + len(name)
        pieces.append(format_html("{}", rendering.visible(text[place : found.start()])))
        pieces.append(format_html('<strong class="k-mention">@{}</strong>', rendering.visible(name)))
        place = end
    pieces.append(format_html("{}", rendering.visible(text[place:])))
    return format_html_join("", "{}", ((piece,) for piece in pieces))
