"""The form of a remote connection."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ai import tenancy
from ai.admin.parts.forms import StoredKeyForm
from ai.exceptions import InvalidInput
from ai.models import RemoteConnection
from ai.services import connections


class RemoteConnectionForm(StoredKeyForm):
    """A server and the key to it."""

    class Meta:
        model = RemoteConnection
        fields = (
            "name",
            "base_url",
            "organization",
            "project",
            "api_version",
            "makes",
            "concurrency",
            "is_default",
            "is_enabled",
        )

    def tenant_id(self) -> UUID:
        """Whose connection it is: the row's, the chosen tenant, or the only one."""
        chosen = self.cleaned_data.get("tenant")
        known = self.instance.tenant_id or (UUID(chosen) if chosen else None)
        return known or tenancy.get_current_tenant_id()

    def clean(self) -> dict[str, Any]:
        """What the service would refuse is refused beside the field."""
        values: dict[str, Any] = super().clean() or {}
        try:
            connections.check(RemoteConnection(base_url=values.get("base_url") or ""))
        except InvalidInput as error:
            self.add_error("base_url", error.message)
        name = values.get("name")
        if not name or ("tenant" in self.fields and not values.get("tenant")):
            return values
        others = RemoteConnection.objects.filter(tenant_id=self.tenant_id(), name=name).exclude(pk=self.instance.pk)
        if others.exists():
            self.add_error("name", "The tenant has a connection of this name already.")
        return values

    def validate_constraints(self) -> None:
        """The tenant is known to the service only, which enforces them."""
