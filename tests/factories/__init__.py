"""Rows for tests, made the way the product makes them: through the managers, inside a tenant's scope."""

from __future__ import annotations

import itertools
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.utils import timezone

from ai import ids, tenancy
from ai.models import ChatThread, LanguageModel, Message, Tenant, TenantMembership

_numbers = itertools.count(1)


def tenant(name: str = "") -> Tenant:
    """A tenant, with a name of its own."""
    made: Tenant = Tenant.objects.create(name=name or f"Tenant {next(_numbers)}")
    return made


def user(**values: Any) -> Any:
    """A member of staff without permissions."""
    name = f"staff{next(_numbers)}"
    return get_user_model().objects.create(
        **{"username": name, "email": f"{name}@example.com", "is_staff": True, **values}
    )


def language_model(**values: Any) -> LanguageModel:
    """A language model on an OpenAI-compatible server."""
    fixed = {"provider": "openai-compatible", "model": "scripted", "base_url": "http://127.0.0.1:9/v1"}
    made: LanguageModel = LanguageModel.objects.create(**{"alias": f"model-{next(_numbers)}", **fixed, **values})
    return made


def staff(*permissions: str, tenants: tuple[Tenant, ...] = ()) -> Any:
    """A member of staff with these permissions ("view_run") and memberships."""
    made = user()
    made.user_permissions.set(Permission.objects.filter(content_type__app_label="ai", codename__in=permissions))
    for each in tenants:
        TenantMembership.objects.create(user=made, tenant_id=each.pk)
    return made


def thread(owner: Tenant | UUID, *messages: dict[str, Any], **values: Any) -> ChatThread:
    """A thread with messages in OpenAI's chat format."""
    tenant_id = owner if isinstance(owner, UUID) else owner.pk
    with tenancy.scope(tenant_id):
        row = ChatThread(tenant_id=tenant_id, **{"id": ids.new(), "name": "A thread", **values})
        ChatThread.objects.insert(row)
        if messages:
            Message.objects.append(list(messages), thread_id=row.pk)
        row.refresh_from_db()
    return row


def threads(owner: Tenant, count: int, *, name: str = "Thread {}") -> list[ChatThread]:
    """So many threads of a question and an answer each, in a few statements; `{}` in the name is the number."""
    at, said = timezone.now(), talk(1)
    rows = [
        ChatThread(
            id=ids.new(),
            tenant_id=owner.pk,
            name=name.format(number),
            message_count=len(said),
            last_sequence=len(said),
            last_activity_at=at,
        )
        for number in range(count)
    ]
    with tenancy.scope(owner.pk):
        ChatThread.objects.insert(*rows)
        Message.objects.insert_many(
            Message.objects.build(message, thread=row, sequence=place, at=at)
            for row in rows
            for place, message in enumerate(said, 1)
        )
    return rows


def talk(turns: int) -> list[dict[str, Any]]:
    """So many questions and answers."""
    roles = ("user", "assistant")
    return [{"role": role, "content": f"{role} turn {turn}"} for turn in range(turns) for role in roles]
