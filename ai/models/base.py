"""What most tables share."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from model_utils.models import TimeStampedModel, UUIDModel

from ai import ids
from ai.tenancy import TenantModelManagerMixin


class TenantManager(TenantModelManagerMixin, models.Manager[Any]):
    """A manager that sees only the tenants in scope."""


class Record(UUIDModel, TimeStampedModel):
    """`id` (UUID), `created`, `modified`. New ids are time-ordered."""

    # Read by subclasses' Meta only; kept here so that the three mix-ins are named in one place.
    class Meta:
        abstract = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not args and "id" not in kwargs and "pk" not in kwargs:
            kwargs["id"] = ids.new()
        super().__init__(*args, **kwargs)


class TenantRecord(Record):
    """A record that belongs to a tenant."""

    tenant_id = models.UUIDField(editable=False, null=True, blank=True)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        abstract = True
