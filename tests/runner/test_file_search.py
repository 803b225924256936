"""The model's search in files, and the citations in its answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ai import tenancy
from ai.models import Chunk, DataSource, Tenant, VectorStore, VectorStoreFile
from ai.runner.file_search import FileSearch

pytestmark = pytest.mark.django_db


def store_of(tenant: Tenant, texts: dict[str, str], **values: Any) -> VectorStore:
    """A store with a file a text, each one chunk, by name."""
    with tenancy.scope(tenant.pk):
        store = VectorStore(tenant_id=tenant.pk)
        store.save(force_insert=True)
        for name, text in texts.items():
            source = DataSource.objects.add_file(text.encode(), name)
            file = VectorStoreFile(
                **{
                    "tenant_id": tenant.pk,
                    "vector_store_id": store.pk,
                    "file_id": source.file_id,
                    "status": "completed",
                }
                | values
            )
            file.save(force_insert=True)
            Chunk.objects.write(
                [Chunk(tenant_id=tenant.pk, vector_store_id=store.pk, store_file_id=file.pk, index=0, text=text)]
            )
    return store


TEXTS = {
    "refunds.md": "A refund is paid within fourteen days after the parcel has come back.",
    "hours.txt": "The shop opens at nine and closes at six.",
}


def asking(*questions: str) -> str:
    return json.dumps({"queries": questions})


class TestSearch:
    async def test_gives_the_model_numbered_passages_and_the_step_its_results(self, tenant: Tenant) -> None:
        from asgiref.sync import sync_to_async

        store = await sync_to_async(store_of)(tenant, TEXTS)
        search = FileSearch([store.pk], {}, tenant_id=tenant.pk)

        found = await search.search(asking("When are refunds paid?"))

        assert found.output == f"【0:0†refunds.md】\n{TEXTS['refunds.md']}"
        [result] = found.results
        assert result["file_name"] == "refunds.md"
        assert result["file_id"].startswith("file-")
        assert 0 < result["score"] <= 1
        assert result["content"] == [{"type": "text", "text": TEXTS["refunds.md"]}]
