"""Model routes: which model a tenant's clients get when they ask for `gpt-4o`."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from ai.models.base import TenantManager, TenantRecord


class ModelRouteManager(TenantManager):
    """The only writer of `ai_model_route`."""

    def alias_for(self, name: str, *, tenant_id: UUID) -> str | None:
        """The alias that the tenant's map gives `name`: the exact pattern, else the longest `beginning*` that fits."""
        patterns = [name, *(f"{name[:end]}*" for end in range(len(name) + 1))]
        rows = self.filter(tenant_id=tenant_id, pattern__in=patterns).values_list("pattern", "alias")
        found = sorted(rows, key=lambda row: (row[0] == name, len(row[0])))
        return str(found[-1][1]) if found else None

    def set(self, *, tenant_id: UUID, pattern: str, alias: str) -> ModelRoute:
        """Send `pattern` to `alias` from now on."""
        tenant = self.tenant_for_new_row(tenant_id)
        route: ModelRoute = self.update_or_create(tenant_id=tenant, pattern=pattern, defaults={"alias": alias})[0]
        return route


class ModelRoute(TenantRecord):
    """One line of a tenant's map."""

    pattern = models.CharField(
        "asked for",
        max_length=255,
        validators=[RegexValidator(r"^[^*\s]*\*?$", "A model's name; a * at the end stands for any ending.")],
        help_text="A model's name as clients send it. A * at the end stands for any ending: gpt-4*",
    )
    alias = models.CharField(
        "answered by", max_length=255, help_text="An alias of a language model, or provider:model."
    )

    objects: ClassVar[ModelRouteManager] = ModelRouteManager()

    class Meta:
        db_table = "ai_model_route"
        ordering = ("pattern", "id")
        permissions = (
            ("import_modelroute", "Can import model routes"),
            ("export_modelroute", "Can export model routes"),
        )
        constraints = (
            models.UniqueConstraint(fields=["tenant_id", "pattern"], name="ai_model_route_once"),
            models.CheckConstraint(name="ai_model_route_leads_somewhere", condition=~Q(alias="")),
        )
        indexes = (
            models.Index(fields=["-created", "-id"], name="ai_model_route_latest"),
            models.Index(fields=["tenant_id", "-created", "-id"], name="ai_model_route_tenant_latest"),
        )

    def __str__(self) -> str:
        return f"{self.pattern} → {self.alias}"
