"""A console that is set up, with secrets that no file may hold."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils import timezone

from ai import tenancy
from ai.models import LanguageModel, ModelRoute, RemoteConnection, Tenant, VectorStore
from ai.resources.cells import CsvFile
from ai.resources.listed import RESOURCES
from ai.services import actors, configuration

KEY = "sk-never-show-this"
TOKEN = "Bearer never-show-this-either"
SECRETS = (KEY, TOKEN, "encrypted_key", "extra_headers")
MODELS: tuple[Any, ...] = (Tenant, LanguageModel, ModelRoute, VectorStore, RemoteConnection)


def fill(tenant: Tenant, name: str) -> None:
    """Some of everything for the tenant; hostile where texts are free."""
    with tenancy.scope(tenant.pk):
        for pattern, alias in ((f"{name}-*", "local:smollm2"), ("=cmd", "local:smollm2"), ("'", "local:smollm2")):
            ModelRoute.objects.set(tenant_id=tenant.pk, pattern=pattern, alias=alias)
        for title in (name, "=1+1", "", None, 'quo"te, comma\r\nline'):
            store = VectorStore(tenant_id=tenant.pk, name=title, description=title, metadata={"é": "-1", "b": ""})
            store.expires_after = {"anchor": "last_active_at", "days": 7} if title else None
            VectorStore.objects.make(store, at=timezone.now())
        for number in range(2):
            row = RemoteConnection(
                tenant_id=tenant.pk, name=f"@{name} {number}", base_url="https://example.com/v1", project="+1"
            )
            row.set_api_key(KEY)
            row.is_default, row.is_enabled, row.concurrency = number == 0, number == 0, 7
            row.save(force_insert=True)


def model(alias: str = "fast", **values: Any) -> LanguageModel:
    """A language model with a stored key and a header that is one."""
    row = LanguageModel(alias=alias, provider="openai", model="gpt-4o-mini", **values)
    row.settings = {"temperature": 0.2, "extra_headers": {"Authorization": TOKEN}}
    row.input_price, row.cached_price, row.context_window = Decimal("0.150000"), Decimal("0.000001"), 128_000
    row.set_api_key(KEY)
    row.save(force_insert=True)
    return row


def exported(of: Any) -> bytes:
    """The file of all rows in scope."""
    with configuration.export(of, by=actors.SYSTEM, at=timezone.now()).content as content:
        return content.read()


def imported(of: Any, content: bytes | str, *, by: Any = None, dry_run: bool = False, tenant_id: Any = None) -> Any:
    """What came of an import."""
    file = content.encode() if isinstance(content, str) else content
    dataset = CsvFile(encoding="utf-8-sig").create_dataset(file)
    resource = RESOURCES[of](tenant_id=tenant_id)
    return resource.import_data(
        dataset, dry_run=dry_run, raise_errors=False, rollback_on_validation_errors=True, user=by
    )


def reasons(result: Any) -> str:
    """Why an import was refused; empty where it was not."""
    said = [str(row.error) for row in result.invalid_rows] + [str(each.error) for each in result.base_errors]
    return " ".join(said + [str(error.error) for row in result.row_errors() for error in row[1]])


def taken_in(of: Any, content: bytes | str, **options: Any) -> Any:
    """What came of an import that goes well."""
    result = imported(of, content, **options)
    assert reasons(result) == ""
    return result
