"""
Whose data this is.

One ContextVar holds the scope. A query on a tenant's model outside any scope raises `OutsideTenant`: a forgotten scope is
an error that is seen, never a leak that is not. The scope follows the code through `await`, `sync_to_async` and
`async_to_sync`, which copy the context.

    with tenancy.scope(tenant_id):
        ChatThread.objects.count()

A single-tenant installation sets `AI_DEFAULT_TENANT_ID`; then that tenant is the scope wherever none was entered.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ai import conf
from ai.exceptions import InvalidInput, OutsideTenant

if TYPE_CHECKING:
    from django.db.models import QuerySet

audit_log = logging.getLogger("ai.audit")


@dataclass(frozen=True)
class Scope:
    """The tenants that can be seen; `tenants=None` means all of them."""

    tenants: frozenset[UUID] | None
    reason: str = ""

    def allows(self, tenant_id: UUID | str | None) -> bool:
        """Whether rows of `tenant_id` are inside this scope."""
        if self.tenants is None:
            return True
        return tenant_id is not None and UUID(str(tenant_id)) in self.tenants


_scope: ContextVar[Scope | None] = ContextVar("ai_tenancy_scope", default=None)


def current() -> Scope:
    """The scope in force.

    Raises:
        OutsideTenant: no scope was entered and there is no default tenant.
    """
    scope_ = _scope.get()
    if scope_ is not None:
        return scope_
    default = conf.current().default_tenant_id
    if default is None:
        raise OutsideTenant
    return Scope(frozenset([default]))


@contextmanager
def scope(*tenant_ids: UUID | str) -> Iterator[Scope]:
    """See and write only what belongs to these tenants. With no id nothing is seen."""
    with _enter(Scope(frozenset(UUID(str(t)) for t in tenant_ids))) as entered:
        yield entered


@contextmanager
def everything(*, reason: str) -> Iterator[Scope]:
    """See every tenant's data: for superusers and maintenance. `reason` goes to the `ai.audit` log."""
    if not reason:
        raise InvalidInput("Say why every tenant's data is needed: everything(reason=…).")
    audit_log.info("every tenant in scope: %s", reason)
    with _enter(Scope(None, reason)) as entered:
        yield entered


@contextmanager
def _enter(value: Scope) -> Iterator[Scope]:
    token = _scope.set(value)
    try:
        yield value
    finally:
        _scope.reset(token)


def get_current_tenant_id() -> UUID:
    """The one tenant that new rows belong to.

    Raises:
        OutsideTenant: no scope, or a scope of several tenants, from which none can be chosen.
    """
    scope_ = current()
    if scope_.tenants is not None and len(scope_.tenants) == 1:
        return next(iter(scope_.tenants))
    default = conf.current().default_tenant_id
    if default is not None and scope_.allows(default):
        return default
    raise OutsideTenant("Several tenants are in scope: say which one with tenant_id=….")


def only_tenant() -> UUID | None:
    """What `get_current_tenant_id` returns; None where it raises, for what is noted of several tenants or none."""
    try:
        return get_current_tenant_id()
    except OutsideTenant:
        return None


class TenantModelManagerMixin:
    """Makes a manager return only rows of the tenants in scope, and raise `OutsideTenant` where there is no scope."""

    def get_queryset(self) -> QuerySet[Any]:
        """The model's rows inside the current scope."""
        queryset: QuerySet[Any] = super().get_queryset()  # type: ignore[misc]
        tenants = current().tenants
        if tenants is None:
            return queryset
        if len(tenants) == 1:
            return queryset.filter(tenant_id=next(iter(tenants)))
        return queryset.filter(tenant_id__in=sorted(tenants))

    def tenant_for_new_row(self, tenant_id: UUID | str | None) -> UUID:
        """The tenant a new row gets: the one given, if it is in scope, else the current one.

        Raises:
            OutsideTenant: `tenant_id` is not in scope.
        """
        if tenant_id is None:
            return get_current_tenant_id()
        wanted = UUID(str(tenant_id))
        if not current().allows(wanted):
            raise OutsideTenant(f"The tenant {wanted} is not in scope here.")
        return wanted
