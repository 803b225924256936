"""A tenant with people, and a thread that they talk about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from ai import tenancy
from ai.models import ChatThread, Message, Tenant
from tests import factories
from tests.fakes.receivers import Receiver

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SAID = "Your parcel left **Hamburg** this morning. It will be in *Lyon* this evening, and in Hamburg no more."


@dataclass
class Talk:
    """Ana and Ben may comment, Lea moderates, Vic may read alone; Zoe works for somebody else."""

    tenant: Tenant
    thread: ChatThread
    question: Message
    answer: Message
    ana: Any
    ben: Any
    lea: Any
    vic: Any
    zoe: Any

    @property
    def on(self) -> dict[str, Any]:
        """The answer, as services name it."""
        return {"thread_id": self.thread.pk, "message_id": self.answer.pk}


def named(name: str, *permissions: str, tenant: Tenant) -> Any:
    """A member of the tenant who may read its threads."""
    reads = ("view_chatthread", "view_message", "view_feedback")
    user = factories.staff(*reads, *permissions, tenants=(tenant,))
    user.username, user.email = name, f"{name}@example.com"
    user.save()
    return user


@pytest.fixture
def talk(db: None) -> Iterator[Talk]:
    tenant, other = factories.tenant(), factories.tenant()
    thread = factories.thread(
        tenant, {"role": "user", "content": "Where is my parcel?"}, {"role": "assistant", "content": SAID}
    )
    with tenancy.scope(tenant.pk):
        question, answer = Message.objects.list_thread_messages(thread.pk)
        yield Talk(
            tenant, thread, question, answer,
            ana=named("ana", "comment_message", "change_feedback", tenant=tenant),
            ben=named("ben.b", "comment_message", "change_feedback", tenant=tenant),
            lea=named("lea", "comment_message", "moderate_comment", "change_webhook", tenant=tenant),
            vic=named("vic", tenant=tenant),
            zoe=named("zoe", "comment_message", tenant=other),
        )  # fmt: skip


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running
