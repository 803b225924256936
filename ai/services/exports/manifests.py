"""The manifest of an export: what is in the file and where it comes from, so that a reader can check both."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ai.services.exports.formats import SCHEMA_VERSION, Format
from ai.services.exports.rows import Written
from ai.services.selections import Selection


def of(
    *,
    selection: Selection,
    format_: Format,
    written: Written,
    name: str,
    size: int,
    sha256: str,
    at: datetime,
    gone: int = 0,
) -> dict[str, Any]:
    """The manifest as JSON; `gone` rows were selected, and deleted before they were written."""
    return {
        "schema_version": SCHEMA_VERSION,
        "made_at": at.isoformat(),
        "format": format_.name,
        "rows_of": selection.noun,
        "selection": {
            "words": selection.describe(),
            "filters": dict(selection.filters),
            "search": selection.words,
            "until": selection.until.isoformat() if selection.until else None,
            "chosen": None if selection.ids is None else len(selection.ids),
        },
        "counts": {"rows": written.rows, "written": written.lines, "gone": gone},
        "file": {"name": name, "bytes": size, "sha256": sha256},
    }
