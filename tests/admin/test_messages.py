"""What messages of the API carry: citations as footnotes, files with the tools they are for, metadata."""

from __future__ import annotations

import pytest

from ai.models import DataSource, Tenant
from ai.services import turns
from tests import factories
from tests.admin.conversations import EVERYTHING, operator
from tests.admin.test_transcript import last_message, page_of

pytestmark = pytest.mark.django_db

MARKER = "【0:0†returns.md】"


def cited(file_id: str, marker: str = MARKER) -> dict[str, object]:
    return {"type": "file_citation", "text": marker, "file_citation": {"file_id": file_id}}


class TestCitations:
    def test_are_footnotes_with_the_names_of_files(self, tenant: Tenant) -> None:
        file = DataSource.objects.add_file(b"Refunds", "returns.md", tenant_id=tenant.pk)
        other = "【0:1†old.txt】"
        said = {"role": "assistant", "content": f"Five days{MARKER}, as ever{MARKER}. Not ten{other}."}
        said["annotations"] = [cited(file.file_id), cited("file-gone", other)]  # type: ignore[assignment]
        thread = factories.thread(tenant, said)
        client = operator(tenant, *EVERYTHING)

        transcript = page_of(client, thread)
        message = client.get(f"/admin/ai/message/{last_message(thread).pk}/change/").content.decode()

        for html in (transcript, message):
            assert "Five days[1], as ever[1]. Not ten[2]." in html
            assert f"/admin/ai/datasource/{file.pk}/change/" in html
            assert "returns.md" in html
            assert "old.txt" in html
            assert "not in storage here" in html

    def test_inside_a_part_count_too_and_nonsense_does_not(self, tenant: Tenant) -> None:
        part = {"type": "text", "text": {"value": f"Yes{MARKER}", "annotations": [cited("file-a"), "x", {"type": 7}]}}
        thread = factories.thread(tenant, {"role": "assistant", "content": [part], "annotations": "nonsense"})

        [turn] = turns.of([last_message(thread)])

        assert turn.text == "Yes[1]"
        assert [(note.number, note.file_id, note.name) for note in turn.citations] == [(1, "file-a", "returns.md")]

    def test_cannot_make_a_text_grow_without_end(self, tenant: Tenant) -> None:
        annotations = [cited(f"file-{number}", str(number % 10)) for number in range(200)]
        thread = factories.thread(tenant, {"role": "assistant", "content": "1 2 3", "annotations": annotations})

        [turn] = turns.of([last_message(thread)])

        assert len(turn.text) < 30


def test_files_say_which_tool_they_are_for_and_metadata_is_in_words(tenant: Tenant) -> None:
    file = DataSource.objects.add_file(b"Refunds", "returns.md", tenant_id=tenant.pk)
    attached = [{"file_id": file.file_id, "tools": [{"type": "file_search"}, {"type": 1}]}]
    said = {"role": "user", "content": "See this", "attachments": attached, "metadata": {"channel": "<web>"}}
    data = {"metadata": {"customer": "4711"}, "tool_resources": {"code_interpreter": {"file_ids": [file.file_id]}}}
    thread = factories.thread(tenant, said, data=data)

    html = page_of(operator(tenant, *EVERYTHING), thread)

    assert "for file search" in html
    assert "&lt;web&gt;" in html
    assert "4711" in html
    assert "Tools work on" in html
    assert "More data" not in html
