"""What the resources share: finding rows, staying in the tenant, and writing through the managers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils import timezone
from import_export.instance_loaders import BaseInstanceLoader
from import_export.resources import ModelResource

from ai import ids, tenancy
from ai.exceptions import InvalidInput, NotFound, OutsideTenant
from ai.models.restoring import restore
from ai.models.rewriting import rewrite
from ai.resources.cells import MOST_ROWS, fields_of
from ai.services import actors, audit, permissions
from ai.services.tables import Table

#: Values in one query: SQLite takes 32,766.
AT_ONCE = 5000


def in_parts(values: Iterable[Any]) -> Iterable[list[Any]]:
    """The different values, some thousand at a time."""
    every = list(dict.fromkeys(values))
    return (every[start : start + AT_ONCE] for start in range(0, len(every), AT_ONCE))


class Loader(BaseInstanceLoader):
    """Finds the rows that a file names: all of them with a few queries, before the first is imported.

    A row is found by its id, or else, in the tenant, by the values of the resource's `natural` columns.
    """

    def __init__(self, resource: CsvResource, dataset: Any = None) -> None:
        super().__init__(resource, dataset)
        rows = [dict(zip(dataset.headers, row, strict=False)) for row in dataset]
        self._by_key = self._found("pk", filter(None, (key_of(row.get("id")) for row in rows)), everywhere=True)
        self._by_nature: dict[tuple[str, ...], Any] = {}
        if resource.natural:
            last = resource.natural[-1]
            for row in self._found(last, filter(None, (self._cell(row, last) for row in rows))).values():
                if resource.is_in_scope(row):
                    self._by_nature[resource.nature_of(row)] = row

    def _found(self, column: str, values: Iterable[Any], *, everywhere: bool = False) -> dict[UUID, Any]:
        model = self.resource._meta.model
        manager = model._base_manager if everywhere else model.objects
        return {row.pk: row for part in in_parts(values) for row in manager.filter(**{f"{column}__in": part})}

    def _cell(self, row: Any, attribute: str) -> Any:
        """A value of the row; None where there is none, or it cannot be read."""
        try:
            return self.resource.value(row, attribute)
        except InvalidInput:
            return None

    def get_instance(self, row: Any) -> Any:
        """The row of the database.

        Raises:
            ValidationError: its id is another tenant's.
        """
        key = key_of(row.get("id"))
        found = self._by_key.get(key) if key else None
        if found is not None:
            if not self.resource.is_in_scope(found):
                raise ValidationError({"id": "A row with this id cannot be imported here."})
            return found
        named = [self._cell(row, name) for name in self.resource.natural]
        if not named or None in named:
            return None
        return self.named((str(self.resource.tenant_named(row)), *map(str, named)))

    def named(self, nature: tuple[str, ...]) -> Any:
        """The row of the database that is called so, which a row of the file is too; None where there is none."""
        return self._by_nature.get(nature)


class CsvResource(ModelResource):
    """A CSV file of one kind of rows. `tenant_id` is the tenant that new rows get where the file names none."""

    table: ClassVar[Table]
    natural: ClassVar[tuple[str, ...]] = ()
    #: Columns that a file cannot change in rows that are here.
    fixed: ClassVar[frozenset[str]] = frozenset({"id", "tenant_id"})

    class Meta:
        abstract = True
        use_bulk = True
        batch_size = 500
        skip_unchanged = True
        instance_loader_class = Loader
        clean_model_instances = False

    def __init__(self, *, tenant_id: UUID | None = None, **kwargs: Any) -> None:
        super().__init__()
        self.fields = fields_of(self.table)
        if "id" in self.fields:
            self.fields["id"].saves_null_values = False
        self._tenant_id = tenant_id
        self._headers: list[str] = []
        self._met: set[Any] = set()

    # -- Whose rows these are

    def owner(self, row: Any) -> UUID | None:
        """The tenant of a row of the database."""
        return row.tenant_id  # type: ignore[no-any-return]

    def is_in_scope(self, row: Any) -> bool:
        """Whether a row of the database can be changed here."""
        return tenancy.current().allows(self.owner(row))

    def nature_of(self, row: Any) -> tuple[str, ...]:
        """What a row of the database is called: its tenant, and the values of `natural`."""
        return str(self.owner(row)), *(str(getattr(row, name)) for name in self.natural)

    def settle(self, instance: Any) -> None:
        """Give a new row its tenant.

        Raises:
            ValidationError: it is not in scope, or there is none to choose.
        """
        instance.tenant_id = self._tenant_of(instance)

    # -- Reading

    def value(self, row: Any, attribute: str) -> Any:
        """The value for an attribute in a row of the file; None where it has no such column.

        Raises:
            InvalidInput: it is of another kind.
        """
        column = next(column for column in self.table.columns if column.attribute == attribute)
        return column.value(str(row[column.name] or "")) if column.name in row else None

    def tenant_named(self, row: Any) -> UUID | None:
        """The tenant that a row of the file is for; None where nothing says which."""
        try:
            return self.value(row, "tenant_id") or self._tenant_id or tenancy.get_current_tenant_id()
        except (InvalidInput, OutsideTenant):
            return None

    def import_data(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        """Import a file, or with `dry_run` find out what that would do."""
        self._headers, self._met = list(dataset.headers or []), set()
        return super().import_data(dataset, *args, **kwargs)

    def get_import_fields(self) -> list[Any]:
        """The columns that are read and shown: those that a file can have, or of a file that is here, those that it has."""
        fields = [field for field in super().get_import_fields() if not field.readonly]
        shown = {"id", *self._headers}
        return [field for field in fields if field.column_name in shown] if self._headers else fields

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        """Accept the file. Of one that is refused no row is read: import-export notes the refusal, and would go on."""
        try:
            self.accept(dataset, **kwargs)
        except Exception:
            del dataset[:]
            raise

    def accept(self, dataset: Any, **kwargs: Any) -> None:
        """Refuse what is too much, and what has none of the columns."""
        permissions.require(kwargs.get("user") or actors.SYSTEM, f"ai.import_{self._meta.model._meta.model_name}")
        if len(dataset) > MOST_ROWS:
            raise ValidationError(f"The file has more than {MOST_ROWS:,} rows: cut it, or import it in the background.")
        if not set(self._headers) & set(self.table.header):
            raise ValidationError(f"The file has none of the columns {', '.join(self.table.header)}.")
        self.prepare([dict(zip(self._headers, row, strict=False)) for row in dataset])

    def after_import(self, dataset: Any, result: Any, **kwargs: Any) -> None:
        """Note who imported what."""
        if kwargs.get("dry_run") or result.has_errors() or result.has_validation_errors():
            return
        audit.record(
            "rows.imported",
            by=kwargs.get("user") or actors.SYSTEM,
            at=timezone.now(),
            tenant_id=self._tenant_id or tenancy.only_tenant(),
            rows_of=self.table.noun,
            file=str(kwargs.get("file_name") or "")[:255],
            counts={name: count for name, count in result.totals.items() if count},
        )

    def prepare(self, rows: list[dict[str, str]]) -> None:
        """Look up what the rows refer to."""

    def get_instance(self, instance_loader: Any, row: Any) -> Any:
        """The row of the database that a row of the file is about; None when there is none."""
        return instance_loader.get_instance(row)

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        """Leave an empty id out: the row gets one."""
        if not row.get("id", "x"):
            del row["id"]

    def import_instance(self, instance: Any, row: Any, **kwargs: Any) -> None:
        """Take the row's values, and keep the row where it is.

        Raises:
            ValidationError.
        """
        is_new = instance._state.adding
        kept = {column.attribute: getattr(instance, column.attribute) for column in self._fixed_columns()}
        super().import_instance(instance, row, **kwargs)
        if is_new:
            self.settle(instance)
        else:
            if "tenant_id" in kept and row.get("tenant_id") and instance.tenant_id != kept["tenant_id"]:
                raise ValidationError({"tenant_id": "This row belongs to another tenant; rows are never moved."})
            for name, value in kept.items():
                setattr(instance, name, value)
        if instance.pk in self._met:
            raise ValidationError({"id": "Another row of the file is about the same."})
        self._met.add(instance.pk)
        self.check(instance, is_new=is_new)

    def _fixed_columns(self) -> list[Any]:
        return [column for column in self.table.columns if column.name in self.fixed and not column.is_derived]

    def _tenant_of(self, instance: Any) -> UUID:
        try:
            return (
                tenancy.get_current_tenant_id()
                if not (given := instance.tenant_id or self._tenant_id)
                else _in_scope(given)
            )
        except OutsideTenant:
            raise ValidationError({"tenant_id": "This tenant is not yours, or none was chosen."}) from None

    def check(self, instance: Any, *, is_new: bool) -> None:
        """Refuse a row that cannot be.

        Raises:
            ValidationError.
        """

    def skip_row(self, instance: Any, original: Any, row: Any, import_validation_errors: Any = None) -> bool:
        """Pass over rows that change nothing."""
        if instance._state.adding:
            return False
        return bool(super().skip_row(instance, original, row, import_validation_errors))

    # -- Writing

    def changed_fields(self) -> list[str]:
        """The fields that the file can change in rows that are here."""
        columns = (self.table.by_name[name] for name in self._headers if name in self.table.by_name)
        return [column.attribute for column in columns if not column.is_derived and column.name not in self.fixed]

    def bulk_create(
        self, using_transactions: bool, dry_run: bool, raise_errors: bool, batch_size: Any = None, result: Any = None
    ) -> None:
        """Write new rows through their manager."""
        self._write(self.create_instances, self.create, raise_errors, result)

    def bulk_update(
        self, using_transactions: bool, dry_run: bool, raise_errors: bool, batch_size: Any = None, result: Any = None
    ) -> None:
        """Write changed rows through their manager."""
        self._write(self.update_instances, self.update, raise_errors, result)

    def _write(self, instances: list[Any], write: Any, raise_errors: bool, result: Any) -> None:
        try:
            if instances:
                write(list(instances))
        except Exception as error:  # noqa: BLE001 - shown beside the file, as the library does
            self.handle_import_error(result, error, raise_errors)
        finally:
            instances.clear()

    def create(self, rows: list[Any]) -> None:
        """Write new rows."""
        restore(rows)

    def update(self, rows: list[Any]) -> None:
        """Write changed rows."""
        rewrite(rows, self.changed_fields())


def _in_scope(tenant_id: Any) -> UUID:
    if not tenancy.current().allows(tenant_id):
        raise OutsideTenant
    return UUID(str(tenant_id))


def key_of(cell: Any) -> UUID | None:
    """The id in a cell, in any of its forms; None where there is none."""
    try:
        return ids.parse(str(cell)) if cell else None
    except NotFound:
        return None
