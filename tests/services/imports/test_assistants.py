"""Dumps of the Assistants API: what becomes of each object."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ai import ids
from ai.models import Assistant, AuditEntry, ChatThread, ForeignId, Message, Run, RunStep, Tenant
from ai.runner import context
from ai.services import actors, titles, turns
from ai.services.imports import loading
from ai.services.imports.reports import Report
from tests.services.imports import dumps
from tests.services.imports.conftest import Import
from tests.services.imports.dumps import BEGAN

pytestmark = pytest.mark.django_db


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(BEGAN + seconds, tz=UTC)


def said(**filters: Any) -> list[tuple[str, Any]]:
    """Role and content of the thread's messages, in order."""
    rows = Message.objects.filter(**filters).order_by("sequence")
    return [(row.role, (row.message or {})["content"]) for row in rows]


class TestThreads:
    def test_keeps_id_times_and_metadata(self, load: Import, tenant: Tenant) -> None:
        load(dumps.thread(tool_resources={"code_interpreter": {"file_ids": []}}), *dumps.talk()[0])

        thread = ChatThread.objects.get()
        assert thread.pk == ids.adopted(tenant.pk, "thread_abc")
        assert ForeignId.objects.texts([thread.pk]) == {thread.pk: "thread_abc"}
        assert (thread.external_id, thread.source) == ("thread_abc", "assistants")
        assert (thread.created, thread.last_activity_at) == (at(0), at(4))
        assert thread.data == {"metadata": {"customer": "7"}, "tool_resources": {"code_interpreter": {"file_ids": []}}}

    def test_are_named_after_what_the_user_said_first(self, load: Import) -> None:
        asked = "Hi there! Could you please tell me when the museum opens?"

        load(dumps.thread(), dumps.message("q", asked))

        assert ChatThread.objects.get().name == titles.by_rule(asked)

    def test_keep_a_title_that_they_have(self, load: Import) -> None:
        load(dumps.thread(metadata={"title": "  The museum "}), dumps.message("q", "When?"))

        assert ChatThread.objects.get().name == "The museum"

    def test_that_only_their_messages_name_are_made(self, load: Import) -> None:
        counts = load(dumps.message("q", "Hello", at=9), dumps.message("p", "First", at=3))

        assert counts["thread"] == {"new": 1, "unchanged": 0, "refused": 0}
        assert ChatThread.objects.get().created == at(3)

    def test_that_were_only_named_get_their_metadata_later(self, load: Import) -> None:
        load(dumps.message("q"))

        load(dumps.thread(), dumps.message("q"))

        assert (ChatThread.objects.get().data or {})["metadata"] == {"customer": "7"}

    def test_that_the_export_could_not_read_are_refused(self, load: Import) -> None:
        gone = {"object": "thread", "id": "thread_x", "error": "not_found_or_deleted", "detail": "…"}

        counts = load(
            {"export_schema": "v1", "thread_id": "thread_x", "thread": None, "messages": [], "errors": [gone]}
        )

        assert counts == {"thread": {"new": 0, "unchanged": 0, "refused": 1}}
        assert load.reasons() == [
            "thread_x: The export that made this dump could not read the thread: not_found_or_deleted."
        ]

    def test_that_are_refused_take_what_they_hold_with_them(self, load: Import) -> None:
        counts = load(dumps.thread(metadata=[1]), dumps.message("q"), dumps.thread("b"), dumps.message("p", of="b"))

        assert counts["thread"] == {"new": 1, "unchanged": 0, "refused": 1}
        assert counts["message"] == {"new": 1, "unchanged": 0, "refused": 1}
        assert load.reasons()[0] == "thread_abc: Its “metadata” is no object: [1]."
        assert ChatThread.objects.get().external_id == "thread_b"


class TestMessages:
    def test_keep_their_order_times_and_run(self, load: Import, tenant: Tenant) -> None:
        load(dumps.thread(), *dumps.talk()[0])

        question, answer = Message.objects.order_by("sequence")
        assert (question.created, answer.created) == (at(0), at(4))
        assert (question.external_id, answer.external_id) == ("msg_abcq", "msg_abca")
        assert answer.run_id == str(ids.adopted(tenant.pk, "run_abc"))
        assert ForeignId.objects.texts([ids.adopted(tenant.pk, "run_abc")])

    @pytest.mark.parametrize("newest_first", [False, True])
    def test_written_in_one_second_stay_in_order(self, load: Import, newest_first: bool) -> None:
        messages = [dumps.message(str(n), str(n), at=n // 3) for n in range(9)]

        load(*(reversed(messages) if newest_first else messages))

        assert [content for _, content in said()] == [str(n) for n in range(9)]

    def test_a_question_and_its_answer_in_one_second_are_in_order(self, load: Import) -> None:
        load(dumps.message("a", "Yes.", role="assistant"), dumps.message("q", "Is it so?"))

        assert said() == [("user", "Is it so?"), ("assistant", "Yes.")]

    def test_keep_annotations_beside_the_text(self, load: Import) -> None:
        cited = {
            "type": "file_citation",
            "text": "【1】",
            "start_index": 0,
            "end_index": 3,
            "file_citation": {"file_id": "f"},
        }
        text = {"type": "text", "text": {"value": "【1】 says so.", "annotations": [cited]}}

        load(dumps.message("a", role="assistant", content=[text]))

        message = Message.objects.get().message or {}
        assert (message["content"], message["annotations"]) == ("【1】 says so.", [cited])

    def test_keep_several_parts_as_they_are(self, load: Import) -> None:
        image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "auto"}}
        words = {"type": "text", "text": {"value": "What is this?", "annotations": []}}

        load(dumps.message("q", content=[words, image]))

        assert said() == [("user", [{"type": "text", "text": "What is this?"}, image])]

    def test_show_names_and_sizes_of_files_that_the_dump_describes(self, load: Import) -> None:
        attached = {"file_id": "file-sales", "tools": [{"type": "code_interpreter"}]}
        picture = {"type": "image_file", "image_file": {"file_id": "file-plot", "detail": "auto"}}

        load(
            dumps.message("q", attachments=[attached]),
            dumps.message("p", content=[picture], at=1),
            dumps.file("sales"),
            dumps.file("plot", filename="plot.png", bytes=99),
        )

        shown = [turn.attachments[0] for turn in turns.of(list(Message.objects.order_by("sequence")))]
        assert [(file.file_id, file.name, file.bytes) for file in shown] == [
            ("file-sales", "sales.csv", 1234),
            ("file-plot", "plot.png", 99),
        ]
        assert load.report.files == 2
        assert ChatThread.objects.get().has_files

    def test_that_were_being_written_are_incomplete(self, load: Import) -> None:
        load(
            dumps.run(status="cancelled", cancelled_at=BEGAN),
            dumps.message("a", run_id="run_abc", status="in_progress"),
        )

        message = Message.objects.get().message or {}
        assert (message["status"], message["incomplete_details"]) == ("incomplete", {"reason": "run_cancelled"})

    def test_of_the_flat_recipe_come_in_too(self, load: Import, tenant: Tenant) -> None:
        flat = {
            "thread_id": "thread_f",
            "assistant_id": "asst_f",
            "message_id": "msg_1",
            "role": "user",
            "text": "Hello",
        }
        answer = {**flat, "message_id": "msg_2", "role": "assistant", "text": "Good day", "created_at": BEGAN + 1}

        counts = load({**flat, "created_at": BEGAN}, answer)

        assert counts["message"]["new"] == 2
        assert said() == [("user", "Hello"), ("assistant", "Good day")]
        assert Message.objects.order_by("sequence")[0].pk == ids.adopted(tenant.pk, "msg_1")


class TestAssistants:
    def test_are_kept(self, load: Import, tenant: Tenant) -> None:
        load(dumps.assistant())

        row = Assistant.objects.get()
        assert row.pk == ids.adopted(tenant.pk, "asst_abc")
        assert (row.name, row.model, row.instructions) == ("Weather", "gpt-4o", "You know the weather.")
        assert row.tools == [dumps.tool("get_weather")]
        assert row.settings == {"temperature": 0.5, "top_p": 1.0, "response_format": "auto"}
        assert (row.metadata, row.external_id, row.created) == ({"team": "sky"}, "asst_abc", at(-100))

    def test_of_this_console_are_known_by_their_own_ids(self, load: Import, tenant: Tenant) -> None:
        mine = Assistant.objects.create(tenant_id=tenant.pk, model="scripted")

        counts = load(
            dumps.assistant(id=ids.public("assistant", mine.pk)), dumps.run(assistant_id=f"asst_{mine.pk.hex}")
        )

        assert counts["assistant"] == {"new": 0, "unchanged": 1, "refused": 0}
        assert Run.objects.get().assistant_id == mine.pk


class TestRuns:
    def test_are_kept_with_what_they_were_told_and_what_they_used(self, load: Import, tenant: Tenant) -> None:
        messages, runs, steps = dumps.talk()

        load(dumps.thread(), *messages, *runs, *steps)

        run = Run.objects.get()
        assert (run.pk, run.external_id) == (ids.adopted(tenant.pk, "run_abc"), "run_abc")
        assert (run.status, run.model, run.instructions) == ("completed", "gpt-4o", "You know the weather.")
        assert (run.prompt_tokens, run.completion_tokens, run.total_tokens) == (120, 30, 150)
        assert run.settings["max_completion_tokens"] == 1000
        assert run.assistant_id == ids.adopted(tenant.pk, "asst_abc")
        assert (run.created, run.ended_at, run.duration_ms) == (at(1), at(4), 3000)
        assert run.history_until == 1
        assert ChatThread.objects.get().model == "gpt-4o"

    @pytest.mark.parametrize(
        ("status", "final"),
        [
            ("queued", "expired"),
            ("in_progress", "expired"),
            ("requires_action", "expired"),
            ("cancelling", "cancelled"),
            ("incomplete", "incomplete"),
            ("expired", "expired"),
        ],
    )
    def test_that_were_active_have_ended(self, load: Import, status: str, final: str) -> None:
        load(dumps.run(status=status, completed_at=None, incomplete_details={"reason": "max_prompt_tokens"}))

        run = Run.objects.get()
        assert run.status == final
        assert run.ended_at is not None
        assert (f"was {status} when" in run.error_message) == (status not in {"incomplete", "expired"})

    def test_that_failed_say_why(self, load: Import) -> None:
        load(dumps.run(status="failed", last_error={"code": "rate_limit_exceeded", "message": "Quota."}))

        run = Run.objects.get()
        assert (run.error_code, run.error_message) == ("rate_limit_exceeded", "Quota.")

    def test_without_an_answer_had_read_what_was_there_by_then(self, load: Import) -> None:
        load(dumps.message("q"), dumps.message("p", at=50), dumps.run(at=10, status="expired", completed_at=None))

        assert Run.objects.get().history_until == 1


class TestSteps:
    def test_are_numbered_by_run(self, load: Import, tenant: Tenant) -> None:
        messages, runs, steps = dumps.talk(turns=2)

        load(dumps.thread(), *messages, *runs, *reversed(steps))

        rows = RunStep.objects.order_by("run_id", "index")
        assert [(row.index, row.type, row.status) for row in rows] == [
            (0, "tool_calls", "completed"),
            (1, "message_creation", "completed"),
        ] * 2
        first = RunStep.objects.get(pk=ids.adopted(tenant.pk, "step_abc1"))
        assert (first.usage or {})["total_tokens"] == 75
        assert first.details["tool_calls"][0]["function"]["output"] == "0 mm"

    def test_of_a_run_that_nobody_knows_are_refused(self, load: Import) -> None:
        load(dumps.message("q"), dumps.step("s", dumps.writing("q"), run="gone"))

        assert load.reasons() == ["step_s: Its run run_gone is neither in this dump nor here."]

    def test_that_were_in_progress_end_as_their_run_does(self, load: Import) -> None:
        load(
            dumps.run(status="cancelling"), dumps.step("s", dumps.writing("q"), status="in_progress", completed_at=None)
        )

        assert RunStep.objects.get().status == "cancelled"


class TestCalls:
    def test_stand_before_the_answer_with_their_results(self, load: Import) -> None:
        messages, runs, steps = dumps.talk(turns=2)

        load(dumps.thread(), *messages, *runs, *steps)

        rows = list(Message.objects.order_by("sequence"))
        assert [(row.role, row.is_listed) for row in rows] == [
            ("user", True),
            ("assistant", False),
            ("tool", False),
            ("assistant", True),
        ] * 2
        assert (rows[1].message or {})["tool_calls"][0]["function"] == {
            "name": "get_weather",
            "arguments": '{"city": 0}',
        }
        assert rows[2].message == {"role": "tool", "tool_call_id": "call_abc", "name": "get_weather", "content": "0 mm"}
        assert {row.run_id for row in rows[1:4]} == {str(Run.objects.get(external_id="run_abc").pk)}

    def test_can_be_played_again(self, load: Import) -> None:
        messages, runs, steps = dumps.talk()

        load(dumps.thread(), *messages, *runs, *steps)

        history = [row.message or {} for row in Message.objects.order_by("sequence")]
        kinds = [part.part_kind for message in context.messages(history) for part in message.parts]
        assert kinds == ["user-prompt", "tool-call", "tool-return", "text"]

    def test_belong_to_the_text_that_the_model_wrote_before_them(self, load: Import) -> None:
        load(
            dumps.message("q"),
            dumps.message("first", "Let me look.", role="assistant", at=2, run_id="run_abc"),
            dumps.message("then", "It rains.", role="assistant", at=6, run_id="run_abc"),
            dumps.run(at=1),
            dumps.step("1", dumps.writing("first"), at=2),
            dumps.step("2", dumps.calling(("call_1", "{}", "rain"), ("call_2", "{}", "wind")), at=4),
            dumps.step("3", dumps.writing("then"), at=6),
        )

        rows = [row.message or {} for row in Message.objects.order_by("sequence")]
        assert [row["content"] for row in rows] == ["Hello", "Let me look.", "rain", "wind", "It rains."]
        assert [call["id"] for call in rows[1]["tool_calls"]] == ["call_1", "call_2"]

    def test_of_a_run_that_never_answered_follow_the_question(self, load: Import) -> None:
        load(
            dumps.message("q"),
            dumps.message("later", "Never mind", at=90),
            dumps.run(at=1, status="requires_action", completed_at=None),
            dumps.step("1", dumps.calling(("call_1", "{}", None)), at=2, status="in_progress", completed_at=None),
        )

        assert [(role, bool(content)) for role, content in said()] == [
            ("user", True),
            ("assistant", False),
            ("user", True),
        ]
        assert RunStep.objects.get().status == "expired"

    def test_of_searches_stay_in_the_steps(self, load: Import) -> None:
        found = {"id": "call_1", "type": "file_search", "file_search": {"results": [{"file_id": "f", "score": 0.5}]}}
        details = {"type": "tool_calls", "tool_calls": [found]}

        load(dumps.message("q"), dumps.run(at=1), dumps.step("1", details, at=2))

        assert Message.objects.count() == 1
        assert RunStep.objects.get().details == details


def test_each_import_is_audited(load: Import, tenant: Tenant) -> None:
    load(dumps.thread(), dumps.message("q"))

    entry = AuditEntry.objects.get(action="threads.imported")
    assert (entry.tenant_id, entry.actor_name) == (tenant.pk, "system")
    assert entry.data["counts"]["message"] == {"new": 1, "unchanged": 0, "refused": 0}


def test_an_import_that_breaks_off_is_audited_too(load: Import, tenant: Tenant) -> None:
    path = dumps.lines(load.folder / "dump.jsonl", dumps.message("q"), dumps.message("p", of="b"))

    def stop(report: Report) -> None:
        if report.new["message"]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loading.load(
            path=path,
            format_="assistants",
            tenant_id=tenant.pk,
            by=actors.SYSTEM,
            at=at(0),
            report=Report(on_progress=stop),
        )

    assert AuditEntry.objects.get().data["counts"]["message"]["new"] == Message.objects.count() > 0


def test_the_real_layout_comes_in_whole(load: Import, tmp_path: Any) -> None:
    messages, runs, steps = dumps.talk(turns=2)
    one = dumps.export(messages=messages, runs=runs, steps=steps, files=[dumps.file("sales")])
    other = dumps.export(thread=dumps.thread("b"), messages=[dumps.message("z", of="b")])

    counts = load.path(dumps.folder(tmp_path / "export", one, other, assistants=[dumps.assistant()]))

    assert {kind: numbers["new"] for kind, numbers in counts.items()} == {
        "assistant": 1,
        "thread": 2,
        "message": 5,
        "run": 2,
        "step": 4,
    }
    assert json.dumps(counts).count('"refused": 0') == 5
