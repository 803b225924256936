"""What a person can do with tenants and memberships."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from ai.exceptions import Conflict, InvalidInput, NotFound
from ai.models import Tenant, TenantMembership
from ai.services import audit, permissions


@transaction.atomic
def save(*, tenant: Tenant, by: Any, at: datetime) -> Tenant:
    """Write a new tenant, or the changes to one.

    Raises:
        Forbidden.
        InvalidInput: it has no name.
        Conflict: another tenant has the name.
    """
    new = tenant._state.adding
    permissions.require(by, "ai.add_tenant" if new else "ai.change_tenant")
    tenant.name = " ".join(tenant.name.split())
    if not tenant.name:
        raise InvalidInput("A tenant needs a name.")
    if Tenant.objects.filter(name=tenant.name).exclude(pk=tenant.pk).exists():
        raise Conflict(f"Another tenant is called “{tenant.name}”.")
    tenant.save()
    audit.record(
        "tenant.added" if new else "tenant.changed",
        target=tenant,
        by=by,
        at=at,
        tenant_id=tenant.pk,
        name=tenant.name,
        allowed_tools=tenant.allowed_tools,
    )
    return tenant


def add(*, name: str, by: Any, at: datetime) -> Tenant:
    """A new tenant. Raises what `save` raises."""
    return save(tenant=Tenant(name=name), by=by, at=at)


@transaction.atomic
def add_member(*, tenant_id: UUID, user: Any, by: Any, at: datetime) -> TenantMembership:
    """Make `user` see the tenant's data; a second time changes nothing.

    Raises:
        Forbidden, NotFound.
    """
    permissions.require(by, "ai.add_tenantmembership")
    if not Tenant.objects.filter(pk=tenant_id).exists():
        raise NotFound("There is no such tenant.")
    row, new = TenantMembership.objects.get_or_create(tenant_id=tenant_id, user=user)
    if new:
        audit.record("tenant.member_added", target=row, by=by, at=at, user=user.get_username())
    return row


@transaction.atomic
def remove_member(*, tenant_id: UUID, user: Any, by: Any, at: datetime) -> None:
    """Make `user` see the tenant's data no more.

    Raises:
        Forbidden.
        NotFound: they were no member.
    """
    permissions.require(by, "ai.delete_tenantmembership")
    row = TenantMembership.objects.filter(tenant_id=tenant_id, user=user).first()
    if row is None:
        raise NotFound("They are no member of this tenant.")
    audit.record("tenant.member_removed", target=row, by=by, at=at, user=user.get_username())
    row.delete()
