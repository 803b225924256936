"""Who works for a tenant: its members and superusers, and what they may do."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

from ai.models import TenantMembership

#: So many are ever looked at: for a longer list people type more of a name.
MOST = 200


def of_tenant(tenant_id: UUID | None, *, codename: str) -> QuerySet[Any]:
    """The active staff of the tenant with a permission of the app ("view_chatthread"), and superusers, by user name."""
    members = TenantMembership.objects.filter(tenant_id__in=[tenant_id] if tenant_id else []).values("user_id")
    grants = {"codename": codename, "content_type__app_label": "ai"}
    direct = Q(**{f"user_permissions__{name}": value for name, value in grants.items()})
    by_group = Q(**{f"groups__permissions__{name}": value for name, value in grants.items()})
    may = Q(is_superuser=True) | (Q(pk__in=members) & (direct | by_group))
    return get_user_model()._default_manager.filter(may, is_active=True, is_staff=True).order_by("username").distinct()


def leads(tenant_id: UUID | None, *, codename: str) -> list[Any]:
    """The members of the tenant with the permission; where there is none, superusers."""
    found = list(of_tenant(tenant_id, codename=codename)[:MOST])
    return [user for user in found if not user.is_superuser] or found


def named(names: Iterable[str]) -> dict[str, Any]:
    """Active staff by their user names."""
    found = get_user_model()._default_manager.filter(username__in=list(names)[:MOST], is_active=True, is_staff=True)
    return {str(user.get_username()): user for user in found}


def keys(user_ids: Iterable[str]) -> list[Any]:
    """The keys of accounts among `actors.id_of`: commands and programs have none."""
    field, found = get_user_model()._meta.pk, []
    for user_id in user_ids:
        with suppress(ValidationError):
            found.append(field.to_python(user_id))
    return found


def works_for(user: Any, tenant_id: UUID | None) -> bool:
    """Whether somebody still works for a tenant."""
    if not (user.is_active and user.is_staff):
        return False
    return bool(user.is_superuser) or tenant_id in TenantMembership.objects.tenant_ids(user)
