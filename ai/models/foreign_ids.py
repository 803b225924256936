"""Ids that came with imports: the text behind each key that was derived from one (see `ai.ids`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import UUID

from django.db import models

from ai import ids
from ai.models.base import TenantManager


class ForeignIdManager(TenantManager):
    """The only writer of `ai_foreign_id`."""

    def adopt(self, texts: Iterable[str], *, tenant_id: UUID) -> dict[str, UUID]:
        """The keys for these ids in the tenant; they are remembered, once."""
        keys = {text: ids.adopted(tenant_id, text) for text in dict.fromkeys(texts)}
        rows = [self.model(id=key, tenant_id=tenant_id, text=text) for text, key in keys.items()]
        self.bulk_create(rows, batch_size=500, ignore_conflicts=True)
        return keys

    def texts(self, keys: Iterable[UUID]) -> dict[UUID, str]:
        """The texts of those of the keys that stand for an adopted id; no query where none can."""
        wanted = {key for key in keys if ids.may_be_adopted(key)}
        if not wanted:
            return {}
        return dict(self.filter(pk__in=wanted).values_list("pk", "text"))

    def shown(self, kind: str, key: UUID) -> str:
        """The public id of one row of this kind, one of `ids.PREFIXES`."""
        return self.texts([key]).get(key) or ids.public(kind, key)


class ForeignId(models.Model):
    """One adopted id."""

    id = models.UUIDField(primary_key=True, editable=False)
    tenant_id = models.UUIDField()
    text = models.CharField(max_length=255)

    objects: ClassVar[Any] = ForeignIdManager()

    class Meta:
        db_table = "ai_foreign_id"
        default_permissions = ()

    def __str__(self) -> str:
        return self.text
