"""Files as CSV: what is known of them. Their contents come by upload, through the API, or in a bundle."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from ai.models import DataSource
from ai.resources.base import CsvResource
from ai.services.tables import FILES


class DataSourceResource(CsvResource):
    """Found by id, or by file id."""

    table = FILES
    natural = ("file_id",)
    fixed = CsvResource.fixed | {"file_id", "bytes", "sha256", "mime_type"}

    class Meta(CsvResource.Meta):
        model = DataSource

    def check(self, instance: Any, *, is_new: bool) -> None:
        """The file is here."""
        if is_new:
            raise ValidationError({"id": "There is no such file. A file comes with its content: upload it."})
        instance.clean_fields(exclude=["file"])
