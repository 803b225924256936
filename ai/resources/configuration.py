"""What the resources of a console's set-up share: rows are few, and written one by one by the services, with their checks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils import timezone

from ai.exceptions import AIError
from ai.resources.base import CsvResource
from ai.services import actors, permissions

#: A row costs some queries and an entry in the audit log.
MOST_ROWS = 5_000


@contextmanager
def refusing() -> Iterator[None]:
    """What a service refuses, the row is refused for.

    Raises:
        ValidationError.
    """
    try:
        yield
    except AIError as error:
        raise ValidationError(error.message) from error


class ConfigurationResource(CsvResource):
    """A CSV file of a part of the set-up. `notes` are what whoever imports it should know besides."""

    class Meta(CsvResource.Meta):
        abstract = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.by: Any = actors.SYSTEM
        self.at = timezone.now()
        self.notes: list[str] = []
        self._loader: Any = None
        self._named: set[tuple[str, ...]] = set()

    def accept(self, dataset: Any, **kwargs: Any) -> None:
        """An import adds and changes: it takes the permissions for both besides its own."""
        self.by, self.at = kwargs.get("user") or actors.SYSTEM, timezone.now()
        self.notes, self._named = [], set()
        if len(dataset) > MOST_ROWS:
            raise ValidationError(f"The file has more than {MOST_ROWS:,} rows: cut it into several.")
        for verb in ("add", "change"):
            permissions.require(self.by, f"ai.{verb}_{self._meta.model._meta.model_name}")
        super().accept(dataset, **kwargs)

    def after_import(self, dataset: Any, result: Any, **kwargs: Any) -> None:
        """Hand on the notes."""
        super().after_import(dataset, result, **kwargs)
        result.notes = self.notes

    def get_instance(self, instance_loader: Any, row: Any) -> Any:
        """The row of the database that a row of the file is about; None when there is none."""
        self._loader = instance_loader
        return super().get_instance(instance_loader, row)

    def check(self, instance: Any, *, is_new: bool) -> None:
        """The values fit, and nothing else is called so, here or in the file."""
        instance.clean_fields()
        if not self.natural:
            return
        nature, last = self.nature_of(instance), self.natural[-1]
        known = self._loader.named(nature)
        if nature in self._named or (known is not None and known.pk != instance.pk):
            raise ValidationError({last: f"“{getattr(instance, last)}” is another row's."})
        self._named.add(nature)

    @abstractmethod
    def write(self, instance: Any) -> None:
        """Write a row through its service.

        Raises:
            AIError.
        """

    def create(self, rows: list[Any]) -> None:
        """Write new rows."""
        for row in rows:
            self.write(row)

    def update(self, rows: list[Any]) -> None:
        """Write changed rows."""
        for row in rows:
            self.write(row)


class InstallationResource(ConfigurationResource):
    """A part of the set-up that belongs to no tenant."""

    fixed: ClassVar[frozenset[str]] = frozenset({"id"})

    class Meta(ConfigurationResource.Meta):
        abstract = True

    def owner(self, row: Any) -> UUID | None:
        """Nobody in particular."""
        return None

    def is_in_scope(self, row: Any) -> bool:
        """Permissions alone say who may change it."""
        return True

    def tenant_named(self, row: Any) -> UUID | None:
        """Nobody in particular."""
        return None

    def settle(self, instance: Any) -> None:
        """There is nothing to settle."""
