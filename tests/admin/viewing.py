"""Saving and choosing views through the pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.contrib.auth.models import Group
from django.test import Client

from ai.models import SavedView
from tests import factories
from tests.admin import world

LIST, DOOR = "/admin/ai/chatthread/", "/admin/ai/chatthread/views/"
INBOX = "/admin/ai/feedback/inbox/"


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def person(made: world.World, *more: str, role: str = "Viewer") -> Any:
    user = factories.staff(*more, tenants=(made.tenant,))
    user.groups.add(Group.objects.get(name=role))
    return user


def save(client: Client, name: str = "Slim", state: str = "q=zanzibar&columns=title,activity", **values: str) -> Any:
    return client.post(DOOR, {"do": "save", "name": name, "state": state, **values})


def view_of(name: str = "Slim") -> SavedView:
    return SavedView._base_manager.get(name=name)


def do(client: Client, word: str, view: SavedView, **values: str) -> Any:
    return client.post(DOOR, {"do": word, "view": str(view.pk), **values}, follow=True)


def headings(response: Any) -> list[str]:
    return [name for name in response.context["cl"].list_display if name != "action_checkbox"]


def query_of(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)
