"""Cells of CSV files as django-import-export sees them, and the file itself."""

from __future__ import annotations

import csv
import sys
from typing import Any

from import_export import widgets
from import_export.fields import Field
from import_export.formats.base_formats import CSV

from ai.exceptions import InvalidInput
from ai.services.tables import Column, Table

#: A file that is imported with a preview has no more than this.
MOST_BYTES = 10 * 1024 * 1024
MOST_ROWS = 20_000


class CsvFile(CSV):
    """A CSV file with cells of any length."""

    def create_dataset(self, in_stream: Any, **kwargs: Any) -> Any:
        """The rows of the file."""
        csv.field_size_limit(sys.maxsize)
        return super().create_dataset(in_stream, **kwargs)


class CellWidget(widgets.Widget):
    """Reads and writes a cell as the column says."""

    def __init__(self, column: Column) -> None:
        super().__init__()
        self.column = column

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        """The value in the cell.

        Raises:
            ValueError: it is of another kind.
        """
        try:
            return self.column.value("" if value is None else str(value))
        except InvalidInput as error:
            raise ValueError(error.message) from error

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        """The value as a cell."""
        return self.column.cell(value)


def fields_of(table: Table) -> dict[str, Field]:
    """The table's columns for a resource; those that follow from others are read alone."""
    return {
        column.name: Field(
            attribute=column.attribute,
            column_name=column.name,
            widget=CellWidget(column),
            readonly=column.is_derived,
        )
        for column in table.columns
    }
