"""Vector stores as CSV: what is set of them. Their files are neither read nor changed."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from ai.models import VectorStore
from ai.resources.configuration import ConfigurationResource, refusing
from ai.services import vector_stores
from ai.services.configuration import VECTOR_STORES


class VectorStoreResource(ConfigurationResource):
    """Found by id: several stores of a tenant may have one name, or none."""

    table = VECTOR_STORES

    class Meta(ConfigurationResource.Meta):
        model = VectorStore

    def check(self, instance: Any, *, is_new: bool) -> None:
        """The values are such as the API takes."""
        super().check(instance, is_new=is_new)
        with refusing():
            vector_stores.check(instance)

    def skip_row(self, instance: Any, original: Any, row: Any, import_validation_errors: Any = None) -> bool:
        """Pass over rows that change nothing; an expired store is changed no more.

        Raises:
            ValidationError.
        """
        is_skipped = super().skip_row(instance, original, row, import_validation_errors)
        is_changed = not (is_skipped or instance._state.adding or import_validation_errors)
        if is_changed and instance.has_expired(self.at):
            raise ValidationError({"id": "This vector store has expired; make a new one."})
        return is_skipped

    def create(self, rows: list[Any]) -> None:
        """New stores, empty."""
        for row in rows:
            values = {name: getattr(row, name) for name in vector_stores.COLUMNS}
            vector_stores.create(by=self.by, at=self.at, tenant_id=row.tenant_id, store_id=row.pk, **values)

    def update(self, rows: list[Any]) -> None:
        """Stores that are here: what the file says of them."""
        for row in rows:
            values = {name: getattr(row, name) for name in self.changed_fields()}
            vector_stores.modify(store_id=row.pk, by=self.by, at=self.at, **values)
