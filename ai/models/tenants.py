"""Tenants, and who works for which."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import IntegerField, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce

from ai.models.base import Record


class TenantManager(models.Manager["Tenant"]):
    """Finds and makes tenants. Tenants themselves are in no tenant's scope: pages filter them by membership."""

    def named(self, name: str) -> Tenant:
        """The tenant with this name, made when there is none."""
        return self.get_or_create(name=name)[0]


class Tenant(Record):
    """A customer whose data is kept apart from every other's."""

    name = models.CharField(max_length=255, unique=True)
    allowed_tools = models.JSONField(
        null=True, blank=True, help_text="Names of the server's tools that its runs may call. Empty: all of them."
    )

    objects: ClassVar[TenantManager] = TenantManager()

    class Meta:
        db_table = "ai_tenant"
        ordering = ("name", "pk")
        permissions = (
            ("import_tenant", "Can import tenants"),
            ("export_tenant", "Can export tenants"),
        )

    def __str__(self) -> str:
        return self.name


#: More are not counted.
MOST_UNREAD = 100


class _Tally(Subquery):
    """How many rows a bounded subquery has: it is read up to its bound, whatever there is."""

    template = "(SELECT COALESCE(SUM(1), 0) FROM (%(subquery)s) AS tally)"
    output_field = IntegerField()


class TenantMembershipManager(models.Manager["TenantMembership"]):
    """Answers whose staff somebody is."""

    def tenant_ids(self, user: Any) -> frozenset[UUID]:
        """The tenants that `user` is a member of."""
        return frozenset(self.filter(user=user).values_list("tenant_id", flat=True))

    def tenants_of(self, user: Any) -> dict[UUID, str]:
        """The tenants that `user` is a member of with their names, in the order of these: one query."""
        return {tenant: name for tenant, name, _ in self.places_of(user)}

    def places_of(self, user: Any) -> list[tuple[UUID, str, int]]:
        """The tenants that `user` is a member of, by name, and how many notifications of each are unread: one query."""
        from ai.models.notifications import Notification

        name = Tenant.objects.filter(pk=OuterRef("tenant_id")).values("name")[:1]
        mine = Notification._base_manager.filter(user_id=str(user.pk), in_console=True, is_read=False)
        unread = mine.filter(tenant_id=OuterRef("tenant_id")).order_by().values("pk")[:MOST_UNREAD]
        rows = self.filter(user=user).annotate(named=Coalesce(Subquery(name), Value("")), unread=_Tally(unread))
        return list(rows.order_by("named", "tenant_id").values_list("tenant_id", "named", "unread"))


class TenantMembership(Record):
    """A member of staff works for a tenant."""

    tenant_id = models.UUIDField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")

    objects: ClassVar[TenantMembershipManager] = TenantMembershipManager()

    class Meta:
        db_table = "ai_tenant_membership"
        verbose_name = "membership"
        constraints = (models.UniqueConstraint(fields=["user", "tenant_id"], name="ai_membership_once"),)

    def __str__(self) -> str:
        return f"{self.user_id} in {self.tenant_id}"
