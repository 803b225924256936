"""Rows for tests, made the way the product makes them: through the managers, inside a tenant's scope."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import factory
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from ai import ids, tenancy
from ai.models import ChatThread, LanguageModel, Message, Tenant, TenantMembership


class TenantFactory(factory.django.DjangoModelFactory[Tenant]):
    """A tenant with a name of its own."""

    class Meta:
        model = Tenant

    name = factory.Sequence("Tenant {}".format)


class UserFactory(factory.django.DjangoModelFactory[Any]):
    """A member of staff without permissions."""

    class Meta:
        model = get_user_model()

    username = factory.Sequence("staff{}".format)
    email = factory.LazyAttribute(lambda o: f"{o.username}@example.com")
    is_staff = True


class LanguageModelFactory(factory.django.DjangoModelFactory[LanguageModel]):
    """A language model on an OpenAI-compatible server."""

    class Meta:
        model = LanguageModel

    alias = factory.Sequence("model-{}".format)
    provider = "openai-compatible"
    model = "scripted"
    base_url = "http://127.0.0.1:9/v1"


def staff(*permissions: str, tenants: tuple[Tenant, ...] = ()) -> Any:
    """A member of staff with these permissions ("view_run") and memberships."""
    user = UserFactory()
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="ai", codename__in=permissions))
    for tenant in tenants:
        TenantMembership.objects.create(user=user, tenant_id=tenant.pk)
    return user


def thread(tenant: Tenant | UUID, *messages: dict[str, Any], **values: Any) -> ChatThread:
    """A thread with messages in OpenAI's chat format."""
    tenant_id = tenant if isinstance(tenant, UUID) else tenant.pk
    with tenancy.scope(tenant_id):
        row = ChatThread(id=ids.new(), tenant_id=tenant_id, **{"name": "A thread", **values})
        ChatThread.objects.insert(row)
        if messages:
            Message.objects.append(list(messages), thread_id=row.pk)
        row.refresh_from_db()
    return row


def talk(turns: int) -> list[dict[str, Any]]:
    """So many questions and answers."""
    roles = ("user", "assistant")
    return [{"role": role, "content": f"{role} turn {turn}"} for turn in range(turns) for role in roles]
