"""CSV files of what a console is set up with: language models, model routes, tenants, vector stores and remote connections.

What is secret is in none of them: neither keys nor headers, which may hold one. Nor are times: a file says what is set, not
since when.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from django.db.models import Model

from ai import tenancy
from ai.models import LanguageModel, ModelRoute, RemoteConnection, Tenant, VectorStore
from ai.services import audit, permissions
from ai.services.tables import BOOLEAN, INTEGER, JSON, KEY, MONEY, NAME, Column, Table

#: Files up to this size are in memory until they have been sent.
SPOOLED_BYTES = 1024 * 1024

#: Of a language model's settings, those that may hold a key.
SECRET_SETTINGS = frozenset({"extra_headers"})

_ID = Column("id", KEY)
_TENANT = Column("tenant_id", KEY, is_null=True)

LANGUAGE_MODELS = Table(
    "language models",
    (
        _ID,
        Column("alias"),
        Column("provider"),
        Column("model"),
        *(Column(name) for name in ("base_url", "api_key_env", "api_version")),
        Column("settings", JSON),
        Column("context_window", INTEGER, is_null=True),
        *(Column(name, MONEY, is_null=True) for name in ("input_price", "output_price", "cached_price")),
        Column("is_enabled", BOOLEAN),
    ),
)
MODEL_ROUTES = Table("model routes", (Column("pattern"), Column("alias"), _TENANT))
TENANTS = Table("tenants", (_ID, Column("name", NAME), Column("allowed_tools", JSON, is_null=True)))
VECTOR_STORES = Table(
    "vector stores",
    (
        _ID,
        Column("name", is_null=True),
        Column("description", is_null=True),
        Column("metadata", JSON),
        Column("expires_after", JSON, is_null=True),
        _TENANT,
    ),
)
REMOTE_CONNECTIONS = Table(
    "remote connections",
    (
        _ID,
        Column("name"),
        *(Column(name) for name in ("base_url", "organization", "project", "api_version", "makes")),
        Column("concurrency", INTEGER),
        Column("is_default", BOOLEAN),
        Column("is_enabled", BOOLEAN),
        _TENANT,
    ),
)
TABLES: dict[type[Model], Table] = {
    LanguageModel: LANGUAGE_MODELS,
    ModelRoute: MODEL_ROUTES,
    Tenant: TENANTS,
    VectorStore: VECTOR_STORES,
    RemoteConnection: REMOTE_CONNECTIONS,
}


@dataclass
class File:
    """A file that is ready; whoever gets it closes `content`."""

    name: str
    content: IO[bytes]


def rows(model: Any) -> Any:
    """The rows in scope, in the order of a file. Language models belong to the installation."""
    found = model.objects.order_by(*(("tenant_id", "pattern") if model is ModelRoute else ("pk",)))
    scope = tenancy.current().tenants
    return found.filter(pk__in=sorted(scope)) if model is Tenant and scope is not None else found


def public_settings(settings: Any) -> Any:
    """A language model's settings without what may be secret."""
    if not isinstance(settings, dict):
        return settings
    return {name: value for name, value in settings.items() if name not in SECRET_SETTINGS}


def export(model: Any, *, by: Any, at: datetime) -> File:
    """The rows in scope as a CSV file.

    Raises:
        Forbidden.
    """
    permissions.require(by, f"ai.export_{model._meta.model_name}")
    table = TABLES[model]
    content: Any = SpooledTemporaryFile(max_size=SPOOLED_BYTES)  # noqa: SIM115 - whoever sends it closes it
    text = io.TextIOWrapper(content, encoding="utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow(table.header)
    count = 0
    for cells in _cells(table, rows(model)):
        writer.writerow(cells)
        count += 1
    text.flush()
    text.detach()
    content.seek(0)
    audit.record(
        "export.made",
        by=by,
        at=at,
        tenant_id=tenancy.only_tenant(),
        rows_of=table.noun,
        format="csv",
        counts={"rows": count},
    )
    return File(f"{table.noun.replace(' ', '-')}-{at:%Y-%m-%d-%H%M}.csv", content)


def _cells(table: Table, found: Any) -> Iterator[list[str]]:
    for row in found.iterator(chunk_size=1000):
        if table is LANGUAGE_MODELS:
            row.settings = public_settings(row.settings)
        yield table.cells(row)
