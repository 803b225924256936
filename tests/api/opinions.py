"""Giving feedback in tests of the API."""

from __future__ import annotations

from typing import Any

from ai import ids
from ai.models import Message, Tenant
from tests import factories
from tests.api.calling import Caller


def about(answer: Message, **values: Any) -> dict[str, Any]:
    """The body that gives a thumb down to an answer."""
    return {"message_id": ids.public("message", answer.pk), "user": "cora", "rating": "down", **values}


def give(caller: Caller, answer: Message, **values: Any) -> dict[str, Any]:
    """Give it; the feedback as it is answered."""
    found = caller.post("/feedback", about(answer, **values))
    assert found.status_code == 200, found.data
    data: dict[str, Any] = found.data
    return data


def answer_of(tenant: Tenant) -> Message:
    """An answer in a thread of its own."""
    thread = factories.thread(tenant, *factories.talk(1))
    found: Message | None = Message.objects.list_thread_messages(thread.pk).last()
    assert found is not None
    return found
