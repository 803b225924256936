"""CSV out, CSV in, CSV out again: the same, whatever people wrote."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai import tenancy
from ai.models import Assistant, ChatThread, Feedback, Message, Run, SearchDocument, Tenant, ThreadTag
from ai.resources.assistants import AssistantResource
from ai.resources.cells import CsvFile
from ai.resources.data_sources import DataSourceResource
from ai.resources.feedback import FeedbackResource
from ai.resources.messages import MessageResource
from ai.resources.runs import RunResource
from ai.resources.threads import ThreadResource
from ai.services.exports import writing
from ai.services.exports.formats import FORMATS
from ai.services.selections import Selection
from tests import factories
from tests.admin import world
from tests.services.exports.conversations import HOSTILE, rate, replay, with_a_call
from tests.services.test_tables import JSON, TEXTS

pytestmark = pytest.mark.django_db

#: In the order in which they refer to each other.
RESOURCES: dict[str, Any] = {
    "threads": ThreadResource,
    "messages": MessageResource,
    "runs": RunResource,
    "feedback": FeedbackResource,
    "assistants": AssistantResource,
}


def exported(noun: str) -> bytes:
    out = io.BytesIO()
    writing.write(Selection.of_list(noun, {}), FORMATS["csv"], out)
    return out.getvalue()


def imported(noun: str, content: bytes, *, dry_run: bool = False, tenant_id: Any = None) -> Any:
    dataset = CsvFile(encoding="utf-8-sig").create_dataset(content)
    return {**RESOURCES, "files": DataSourceResource}[noun](tenant_id=tenant_id).import_data(
        dataset, dry_run=dry_run, raise_errors=False
    )


def taken_in(noun: str, content: bytes, **options: Any) -> Any:
    """What came of an import that goes well."""
    result = imported(noun, content, **options)
    assert [str(error.error) for row in result.row_errors() for error in row[1]] == []
    assert [str(row.error) for row in result.invalid_rows] == []
    assert [str(error.error) for error in result.base_errors] == []
    return result


def fingerprint() -> dict[str, list[str]]:
    """Every row of every table but the audit log's."""
    return {name: rows for name, rows in world.fingerprint().items() if not name.startswith("ai_audit")}


def empty(tenant: Tenant) -> None:
    with tenancy.scope(tenant.pk):
        ChatThread.objects.delete_threads(list(ChatThread.objects.values_list("pk", flat=True)))
        Run.objects.all().delete()
        Assistant.objects.all().delete()


class TestRoundTrip:
    def test_of_everything_is_exact(self, tenant: Tenant) -> None:
        world.build(tenant, count=3)
        Run.objects.filter(status="queued").delete()
        thread = with_a_call(tenant, external_id="thread_x1", data={"metadata": {"é": [1.5, None, True]}})
        for text in HOSTILE:
            factories.thread(tenant, {"role": "user", "content": text}, name=text[:700], tags=[text[:90]])
        answer = Message.objects.list_thread_messages(thread.pk).get(sequence=4)
        rate(answer, "up")
        replay(tenant, thread, of=answer, says="=1+1", cost="0.00000001")
        before = {noun: exported(noun) for noun in RESOURCES}
        documents, tags = SearchDocument.objects.count(), ThreadTag.objects.count()
        empty(tenant)

        for noun, content in before.items():
            taken_in(noun, content)

        assert {noun: exported(noun) for noun in RESOURCES} == before
        assert (SearchDocument.objects.count(), ThreadTag.objects.count()) == (documents, tags)

    def test_again_changes_nothing(self, tenant: Tenant) -> None:
        world.build(tenant, count=3)
        before = {noun: exported(noun) for noun in RESOURCES}
        rows = fingerprint()

        for noun, content in before.items():
            result = taken_in(noun, content)
            assert set(result.totals) >= {"skip"}
            assert result.totals["skip"] == len(result.rows)

        assert fingerprint() == rows

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        name=st.none() | TEXTS.map(lambda text: text[:700]),
        user_id=st.none() | TEXTS.map(lambda text: text[:255]),
        content=TEXTS,
        metadata=st.dictionaries(TEXTS, JSON, max_size=3),
    )
    def test_of_any_texts_is_exact(self, tenant: Tenant, name: Any, user_id: Any, content: str, metadata: Any) -> None:
        said = {"role": "user", "content": content, "metadata": metadata}
        factories.thread(tenant, said, name=name, user_id=user_id, data=metadata)
        before = exported("threads"), exported("messages")
        values = list(ChatThread.objects.values()), list(Message.objects.values())
        empty(tenant)

        taken_in("threads", before[0])
        taken_in("messages", before[1])

        assert (exported("threads"), exported("messages")) == before
        assert (list(ChatThread.objects.values()), list(Message.objects.values())) == values
        empty(tenant)


class TestUpdate:
    def test_changes_what_the_file_says_and_what_follows(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant, name="Old", tags=["a"], external_id="x1", source="shop")

        result = taken_in("threads", f'id,title,tags\r\n{thread.pk},New words,"[""b""]"\r\n'.encode())

        thread.refresh_from_db()
        assert result.totals["update"] == 1
        assert (thread.name, thread.tags, thread.external_id) == ("New words", ["b"], "x1")
        assert ChatThread.objects.all().tagged("b").exists()
        assert not ChatThread.objects.all().tagged("a").exists()
        assert SearchDocument.objects.matching("words", most=1, titles_only=True)

    def test_finds_rows_by_what_they_are_called_elsewhere(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant, name="Old", external_id="x1", source="shop")

        taken_in("threads", b"source,external_id,title\r\nshop,x1,New\r\nshop,x2,Another\r\n")

        thread.refresh_from_db()
        assert thread.name == "New"
        assert ChatThread.objects.get(external_id="x2").name == "Another"
        assert ChatThread.objects.count() == 2

    def test_finds_feedback_by_message_and_user(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant, *factories.talk(1))
        answer = Message.objects.get(role="assistant")
        rate(answer, "up")

        taken_in("feedback", f"message_id,user_id,rating\r\n{answer.pk},anna,down\r\n{answer.pk},bob,down\r\n".encode())

        thread.refresh_from_db()
        assert sorted(Feedback.objects.values_list("user_id", "rating")) == [("anna", "down"), ("bob", "down")]
        assert thread.feedback == "down"

    def test_appends_messages_without_a_number(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant, *factories.talk(1))
        said = '"{""role"": ""user"", ""content"": ""More""}"'

        taken_in("messages", f"thread_id,message\r\n{thread.pk},{said}\r\n{thread.pk},{said}\r\n".encode())

        thread.refresh_from_db()
        assert list(Message.objects.order_by("sequence").values_list("sequence", "preview"))[2:] == [
            (3, "More"),
            (4, "More"),
        ]
        assert (thread.message_count, thread.last_sequence) == (4, 4)

    def test_refuses_more_tags_than_a_thread_can_carry(self, tenant: Tenant) -> None:
        tags = ", ".join(f'""{number:032x}""' for number in range(51))

        result = imported("threads", f'title,tags\r\nOne,"[{tags}]"\r\n'.encode())

        assert "at most 50 tags" in str(result.invalid_rows[0].error)
        assert not ChatThread.objects.exists()

    @pytest.mark.parametrize("form", ["{}", "{.hex}", "thread_{.hex}"])
    def test_finds_messages_by_any_form_of_their_threads_id(self, tenant: Tenant, form: str) -> None:
        thread = factories.thread(tenant)
        said = '"{""role"": ""user"", ""content"": ""More""}"'
        content = f"thread_id,external_id,message\r\n{form.format(thread.pk)},m1,{said}\r\n".encode()

        taken_in("messages", content)
        taken_in("messages", content)

        assert list(Message.objects.values_list("thread_id", "external_id")) == [(str(thread.pk), "m1")]

    def test_changes_a_messages_words_and_where_it_is_found(self, tenant: Tenant) -> None:
        factories.thread(tenant, {"role": "user", "content": "before"})
        (row,) = Message.objects.all()

        taken_in(
            "messages", f'id,message\r\n{row.pk},"{{""role"": ""user"", ""content"": ""afterwards""}}"\r\n'.encode()
        )

        row.refresh_from_db()
        assert row.preview == "afterwards"
        assert SearchDocument.objects.matching("afterwards", most=1)
        assert not SearchDocument.objects.matching("before", most=1)


class TestPreview:
    def test_writes_nothing(self, tenant: Tenant) -> None:
        before = world.fingerprint()

        result = imported("threads", b"title\r\nOne\r\nTwo\r\n", dry_run=True)

        assert result.totals["new"] == 2
        assert world.fingerprint() == before


class TestRefusals:
    def reasons(self, noun: str, content: str) -> str:
        before = world.fingerprint()
        result = imported(noun, content.encode())
        assert world.fingerprint() == before
        said = [str(row.error) for row in result.invalid_rows] + [str(e.error) for e in result.base_errors]
        return " ".join(said + [str(error.error) for row in result.row_errors() for error in row[1]])

    def test_of_another_tenants_rows(self, tenant: Tenant) -> None:
        other = Tenant.objects.create(name="Other")
        theirs = factories.thread(other, *factories.talk(1), name="Theirs")
        with tenancy.scope(other.pk):
            message = Message.objects.order_by("pk")[0]

        assert "cannot be imported here" in self.reasons("threads", f"id,title\r\n{theirs.pk},Mine\r\n")
        assert "cannot be imported here" in self.reasons("messages", f"id,message\r\n{message.pk},{{}}\r\n")
        assert "not yours" in self.reasons("threads", f"title,tenant_id\r\nMine,{other.pk}\r\n")
        said = '"{""role"": ""user"", ""content"": ""x""}"'
        assert "no such thread" in self.reasons("messages", f"thread_id,message\r\n{theirs.pk},{said}\r\n")
        assert "no such message" in self.reasons("feedback", f"message_id,user_id,rating\r\n{message.pk},x,up\r\n")
        done = f"model,status,ended_at,thread_id\r\nm,completed,2026-05-04T10:00:00Z,{theirs.pk}\r\n"
        assert "no such thread" in self.reasons("runs", done)

    def test_of_moving_a_row_to_another_tenant(self, tenant: Tenant) -> None:
        other = Tenant.objects.create(name="Other")
        ours = factories.thread(tenant, name="Ours")

        with tenancy.scope(tenant.pk, other.pk):
            assert "never moved" in self.reasons("threads", f"id,tenant_id\r\n{ours.pk},{other.pk}\r\n")

    def test_of_runs_that_would_be_executed(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant)

        for status in ("queued", "in_progress", "requires_action"):
            assert "have ended" in self.reasons("runs", f"model,thread_id,status\r\nm,{thread.pk},{status}\r\n")

    def test_of_files_without_content(self, tenant: Tenant) -> None:
        assert "upload it" in self.reasons("files", "file_id,name\r\nfile-1,a.txt\r\n")

    @pytest.mark.parametrize(
        ("noun", "content", "reason"),
        [
            ("threads", "id,title\r\nx,One\r\n", "is no id"),
            ("threads", "title,tags\r\nOne,{}\r\n", "JSON list"),
            ("threads", "title,created\r\nOne,yesterday\r\n", "is no time"),
            ("threads", "title,sync_state\r\nOne,lost\r\n", "Say one of"),
            ("threads", f"title\r\n{'x' * 701}\r\n", "700"),
            ("threads", "colour\r\nred\r\n", "none of the columns"),
            ("messages", "message\r\n[]\r\n", "JSON object"),
        ],
    )
    def test_of_what_cannot_be(self, tenant: Tenant, noun: str, content: str, reason: str) -> None:
        assert reason in self.reasons(noun, content)

    @pytest.mark.parametrize(
        ("columns", "cells", "reason"),
        [
            ("state", "assigned", "to whom"),
            ("state", "snoozed", "until when"),
            ("labels", '"{""a"": 1}"', "list of texts"),
            ("severity", "9", "not a valid choice"),
        ],
    )
    def test_of_triage_that_does_not_fit(self, tenant: Tenant, columns: str, cells: str, reason: str) -> None:
        thread = factories.thread(tenant, *factories.talk(1))
        _, answer = Message.objects.list_thread_messages(thread.pk)

        content = f"message_id,user_id,rating,{columns}\r\n{answer.pk},x,up,{cells}\r\n"

        assert reason in self.reasons("feedback", content)

    def test_of_the_same_row_twice(self, tenant: Tenant) -> None:
        row = factories.thread(tenant, name="One")

        result = imported("threads", f"id,title\r\n{row.pk},A\r\n{row.pk},B\r\n".encode())

        assert "about the same" in str([each.error for each in result.invalid_rows])

    def test_of_new_rows_for_nobody_in_particular(self, tenant: Tenant) -> None:
        other = Tenant.objects.create(name="Other")

        with tenancy.scope(tenant.pk, other.pk):
            assert "none was chosen" in self.reasons("threads", "title\r\nOne\r\n")
            taken_in("threads", b"title\r\nOne\r\n", tenant_id=other.pk)

        with tenancy.scope(other.pk):
            assert ChatThread.objects.get().name == "One"


class TestCost:
    def test_grows_with_batches_not_with_rows(self, tenant: Tenant, django_assert_max_num_queries: Any) -> None:
        rows = "".join(f"Thread {number}\r\n" for number in range(400))

        with django_assert_max_num_queries(40):
            taken_in("threads", f"title\r\n{rows}".encode())

        assert ChatThread.objects.count() == 400
