"""Remote connections as CSV, without their keys."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from ai.models import RemoteConnection
from ai.resources.configuration import ConfigurationResource, refusing
from ai.services import connections
from ai.services.configuration import REMOTE_CONNECTIONS


class RemoteConnectionResource(ConfigurationResource):
    """Found by id, or by tenant and name. A row that is here keeps its key, unless it leads to another server."""

    table = REMOTE_CONNECTIONS
    natural = ("name",)

    class Meta(ConfigurationResource.Meta):
        model = RemoteConnection

    def accept(self, dataset: Any, **kwargs: Any) -> None:
        """No tenant has met its default connection yet."""
        self._defaults: set[Any] = set()
        super().accept(dataset, **kwargs)

    def import_instance(self, instance: Any, row: Any, **kwargs: Any) -> None:
        """Take the row's values.

        Raises:
            ValidationError.
        """
        before = connections.place(instance)
        super().import_instance(instance, row, **kwargs)
        if instance.encrypted_key and before != connections.place(instance):
            self.notes.append(
                f"“{instance.name}” leads to another server, so its stored key is forgotten. Enter the key again."
            )

    def check(self, instance: Any, *, is_new: bool) -> None:
        """The server may be called, and a tenant has one default."""
        super().check(instance, is_new=is_new)
        with refusing():
            connections.check(instance)
        if instance.is_default and instance.tenant_id in self._defaults:
            raise ValidationError({"is_default": "Another row of the file is the tenant's default."})
        if instance.is_default:
            self._defaults.add(instance.tenant_id)

    def write(self, instance: Any) -> None:
        """Through the service, which sees to the key."""
        connections.save(row=instance, by=self.by, at=self.at)
