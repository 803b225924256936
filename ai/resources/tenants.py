"""Tenants as CSV, without what they have and who works for them."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from ai import tenancy
from ai.models import Tenant
from ai.resources.configuration import InstallationResource
from ai.services import tenants
from ai.services.configuration import TENANTS


class TenantResource(InstallationResource):
    """Found by id, or by name."""

    table = TENANTS
    natural = ("name",)

    class Meta(InstallationResource.Meta):
        model = Tenant

    def is_in_scope(self, row: Any) -> bool:
        """A tenant is its own."""
        return tenancy.current().allows(row.pk)

    def check(self, instance: Any, *, is_new: bool) -> None:
        """Tools are a list of names, or all of them."""
        names = instance.allowed_tools
        if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            raise ValidationError({"allowed_tools": "Write the tools as a JSON list of names; nothing means all."})
        super().check(instance, is_new=is_new)

    def write(self, instance: Any) -> None:
        """Through the service."""
        tenants.save(tenant=instance, by=self.by, at=self.at)
