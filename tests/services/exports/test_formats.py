"""What is in the files."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any
from zipfile import ZipFile

import pytest
from django.utils import timezone

from ai.models import ChatThread, Feedback, Message, Run, Tenant
from ai.services import actors
from ai.services.exports import asking, formats
from ai.services.selections import NOUNS, Selection
from ai.services.tables import TABLES, reader
from tests import factories
from tests.admin import world
from tests.services.exports.conversations import CALL, HOSTILE, WEATHER, rate, replay, run, with_a_call

pytestmark = pytest.mark.django_db


def exported(noun: str = "threads", format_name: str = "jsonl", selection: Selection | None = None) -> bytes:
    chosen = selection or Selection.of_list(noun, {})
    made = asking.at_once(selection=chosen, format_name=format_name, by=actors.SYSTEM, at=timezone.now())
    with made.content as content:
        return content.read()


def lines(content: bytes) -> list[Any]:
    return [json.loads(line) for line in content.decode().splitlines()]


def table(content: bytes) -> list[dict[str, str]]:
    return list(reader(io.StringIO(content.decode(), newline="")))


class TestCsv:
    @pytest.mark.parametrize("noun", NOUNS)
    def test_gives_every_field_back_as_it_is(self, tenant: Tenant, noun: str) -> None:
        world.build(tenant, count=3)
        thread = with_a_call(tenant, name="=1+1", external_id="", data={"a": "é", "b": [1.5, None, True]})
        replay(tenant, thread, of=Message.objects.order_by("pk")[0], says="-1", cost="0.10000001", metadata={"k": "'"})
        model = NOUNS[noun]
        fields = [column.attribute for column in TABLES[noun].columns if not column.is_derived]
        there = list(model.objects.order_by("pk").values(*fields))

        rows = [TABLES[noun].values(row) for row in table(exported(noun, "csv"))]

        assert rows == there
        assert len(rows) >= 3

    @pytest.mark.parametrize("text", HOSTILE)
    def test_holds_hostile_texts_exactly(self, tenant: Tenant, text: str) -> None:
        said = {"role": "user", "content": text}
        thread = factories.thread(tenant, said, name=text[:700], user_id=text[:200])

        (message,) = table(exported("messages", "csv"))
        (found,) = table(exported("threads", "csv"))

        values = TABLES["threads"].values(found)
        assert TABLES["messages"].values(message)["message"] == said
        assert TABLES["messages"].by_name["content"].value(message["content"]) == text
        assert (values["name"], values["user_id"]) == (thread.name, thread.user_id)

    def test_has_no_cell_that_a_spreadsheet_computes(self, tenant: Tenant) -> None:
        for text in HOSTILE:
            factories.thread(tenant, {"role": "user", "content": text}, name=text[:700], tags=[text[:50]])

        for noun in ("threads", "messages"):
            cells = [cell for row in table(exported(noun, "csv")) for cell in row.values()]
            assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []

    def test_of_nothing_is_a_header(self, tenant: Tenant) -> None:
        assert exported("runs", "csv").decode() == ",".join(TABLES["runs"].header) + "\r\n"

    def test_shows_parts_of_a_message_as_json(self, tenant: Tenant) -> None:
        factories.thread(tenant, {"role": "user", "content": [{"type": "text", "text": "hello"}]})

        (row,) = table(exported("messages", "csv"))

        assert json.loads(row["content"]) == [{"type": "text", "text": "hello"}]


class TestJsonl:
    def test_is_openais_chat_format(self, tenant: Tenant) -> None:
        thread = with_a_call(tenant, data={"metadata": {"topic": "weather"}, "snippet": "inner"})

        (line,) = lines(exported())

        assert {name: line[name] for name in ("id", "title", "tags", "user_id", "metadata")} == {
            "id": str(thread.pk),
            "title": "Oslo's weather",
            "tags": ["weather"],
            "user_id": "u-1",
            "metadata": {"topic": "weather"},
        }
        assert [(m["role"], m.get("content"), m.get("tool_calls")) for m in line["messages"]] == [
            ("user", "Is it warm in Oslo?", None),
            ("assistant", None, [CALL]),
            ("tool", '{"degrees": -3}', None),
            ("assistant", "It is -3 degrees.", None),
        ]

    @pytest.mark.parametrize("text", HOSTILE)
    def test_holds_hostile_texts_exactly(self, tenant: Tenant, text: str) -> None:
        factories.thread(tenant, {"role": "user", "content": text}, name=text[:700] or "x")

        content = exported()

        assert content.count(b"\n") == 1
        assert json.loads(content)["messages"][0]["content"] == text

    def test_has_each_message_of_many_threads_once_and_in_order(self, tenant: Tenant) -> None:
        made = [factories.thread(tenant, *factories.talk(number % 4), name=str(number)) for number in range(30)]

        found = {line["id"]: [m["content"] for m in line["messages"]] for line in lines(exported())}

        assert found == {
            str(thread.pk): [m["content"] for m in factories.talk(number % 4)] for number, thread in enumerate(made)
        }

    def test_compressed_is_the_same(self, tenant: Tenant) -> None:
        with_a_call(tenant)

        assert gzip.decompress(exported(format_name="jsonl.gz")) == exported()
        assert exported(format_name="jsonl.gz") == exported(format_name="jsonl.gz")

    @pytest.mark.parametrize("noun", ["messages", "runs", "files", "feedback"])
    def test_has_the_rows_as_they_are(self, tenant: Tenant, noun: str) -> None:
        world.build(tenant, count=2)

        found = lines(exported(noun))

        assert [row["id"] for row in found] == [
            str(key) for key in sorted(NOUNS[noun].objects.values_list("pk", flat=True))
        ]
        assert all(row["tenant_id"] == str(tenant.pk) and row["created"].endswith("Z") for row in found)
        assert noun != "messages" or found[0]["message"]["content"].startswith("zanzibar")
        assert noun != "runs" or found[0]["tools"] == []


class TestSft:
    def test_is_the_conversation_up_to_its_last_answer(self, tenant: Tenant) -> None:
        thread = with_a_call(tenant)
        Message.objects.append([{"role": "user", "content": "Thanks"}], thread_id=thread.pk)
        run(tenant, thread, tools=[WEATHER, {"type": "file_search"}])

        (line,) = lines(exported(format_name="sft"))

        assert line["tools"] == [WEATHER]
        assert [message["role"] for message in line["messages"]] == ["user", "assistant", "tool", "assistant"]
        assert line["messages"][1] == {"role": "assistant", "content": None, "tool_calls": [CALL]}
        assert line["messages"][2] == {"role": "tool", "content": '{"degrees": -3}', "tool_call_id": "call_1"}

    def test_gives_answers_with_thumbs_down_no_weight(self, tenant: Tenant) -> None:
        factories.thread(tenant, *factories.talk(2))
        bad = Message.objects.filter(role="assistant").order_by("sequence")[0]
        rate(bad, "down")

        (line,) = lines(exported(format_name="sft"))

        assert [message.get("weight") for message in line["messages"]] == [None, 0, None, None]

    @pytest.mark.parametrize(
        "messages",
        [
            [],
            [{"role": "user", "content": "Anybody?"}],
            [{"role": "assistant", "content": "Hello"}],
            [{"role": "user", "content": "Oslo?"}, {"role": "assistant", "content": None, "tool_calls": [CALL]}],
        ],
    )
    def test_leaves_out_what_teaches_nothing(self, tenant: Tenant, messages: list[Any]) -> None:
        factories.thread(tenant, *messages)

        assert exported(format_name="sft") == b""

    def test_leaves_out_calls_that_nobody_answered(self, tenant: Tenant) -> None:
        factories.thread(
            tenant,
            {"role": "user", "content": "Oslo?"},
            {"role": "assistant", "content": "Wait", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_9", "content": "of another"},
            {"role": "assistant", "content": "Cold."},
        )

        (line,) = lines(exported(format_name="sft"))

        assert [(m["role"], m["content"], "tool_calls" in m) for m in line["messages"]] == [
            ("user", "Oslo?", False),
            ("assistant", "Wait", False),
            ("assistant", "Cold.", False),
        ]


class TestDpo:
    @pytest.fixture
    def answer(self, tenant: Tenant) -> Message:
        factories.thread(tenant, {"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "Five"})
        found: Message = Message.objects.get(role="assistant")
        return found

    def pairs(self) -> list[tuple[str, str]]:
        found = lines(exported(format_name="dpo"))
        assert all(pair["input"]["messages"] == [{"role": "user", "content": "2+2?"}] for pair in found)
        return [(pair["preferred_output"][0]["content"], pair["non_preferred_output"][0]["content"]) for pair in found]

    def thread_of(self, answer: Message) -> ChatThread:
        return ChatThread.objects.get_thread(str(answer.thread_id))

    def test_prefers_a_replay_to_an_answer_with_thumbs_down(self, tenant: Tenant, answer: Message) -> None:
        rate(answer, "down")
        replay(tenant, self.thread_of(answer), of=answer, says="Four")

        assert self.pairs() == [("Four", "Five")]

    def test_prefers_an_answer_with_thumbs_up_to_its_replays(self, tenant: Tenant, answer: Message) -> None:
        rate(answer, "up")
        replay(tenant, self.thread_of(answer), of=answer, says="Six")
        replay(tenant, self.thread_of(answer), of=answer, says="Seven")

        assert self.pairs() == [("Five", "Six"), ("Five", "Seven")]

    def test_prefers_a_replay_that_became_a_thread(self, tenant: Tenant, answer: Message) -> None:
        thread = self.thread_of(answer)
        replay(tenant, thread, of=answer, says="Four", promoted_to=thread.pk)

        assert self.pairs() == [("Four", "Five")]

    def test_has_no_pair_where_nobody_said_which_is_better(self, tenant: Tenant, answer: Message) -> None:
        thread = self.thread_of(answer)
        replay(tenant, thread, of=answer, says="Four")
        assert self.pairs() == []

        rate(answer, "up")
        rate(answer, "down", user="bob")
        assert self.pairs() == []

        Feedback.objects.all().delete()
        rate(answer, "up")
        Run.objects.update(promoted_to=thread.pk)
        assert self.pairs() == []

    def test_has_no_pair_of_the_same_words(self, tenant: Tenant, answer: Message) -> None:
        rate(answer, "down")
        replay(tenant, self.thread_of(answer), of=answer, says="Five")

        assert self.pairs() == []


class TestMarkdown:
    def test_is_an_archive_of_transcripts(self, tenant: Tenant) -> None:
        thread = with_a_call(tenant)
        factories.thread(tenant, name="../../etc/passwd\x00".replace("\x00", ""))

        with ZipFile(io.BytesIO(exported(format_name="markdown"))) as found:
            names = found.namelist()
            text = found.read(names[0]).decode()

        assert len(names) == 2
        assert not any("/" in name or ".." in name for name in names)
        assert text.startswith("# Oslo's weather\n\n")
        assert str(thread.pk) in text
        assert "Calls `weather`" in text
        assert '{\n  "degrees": -3\n}' in text
        assert text.endswith("It is -3 degrees.\n")

    def test_is_the_same_every_time(self, tenant: Tenant) -> None:
        with_a_call(tenant)

        assert exported(format_name="markdown") == exported(format_name="markdown")

    def test_fences_what_holds_fences(self, tenant: Tenant) -> None:
        factories.thread(tenant, {"role": "tool", "tool_call_id": "x", "content": "```\nno end\n````"})

        text = exported(format_name="transcript").decode()

        assert "`````\n```\nno end\n````\n`````" in text

    def test_of_several_threads_is_one_text(self, tenant: Tenant) -> None:
        factories.thread(tenant, name="One")
        factories.thread(tenant, name="Two")

        text = exported(format_name="transcript").decode()

        assert text.index("# One") < text.index("\n---\n") < text.index("# Two")


@pytest.mark.sqlite
class TestWhatNobodyCleaned:
    def test_comes_out_in_every_format(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant, {"role": "user", "content": "x"})
        said = {"role": "user", "content": "half \ud83d of it", "note": "\ud800"}
        Message.objects.filter(thread_id=str(thread.pk)).update(message=said)

        (row,) = table(exported("messages", "csv"))
        (line,) = lines(exported())

        assert json.loads(row["message"]) == said
        assert row["content"].startswith("half ")
        assert line["messages"][0]["note"] == "\ud800"
        assert "half \ufffd of it" in exported(format_name="transcript").decode()
        assert len(ZipFile(io.BytesIO(exported(format_name="markdown"))).namelist()) == 1


class TestFormats:
    def test_of_conversations_are_for_threads_alone(self) -> None:
        assert [found.name for found in formats.of("runs")] == ["csv", "jsonl", "jsonl.gz"]
        assert len(formats.of("threads")) == len(formats.FORMATS)
