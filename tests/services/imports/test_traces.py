"""Langfuse and LangSmith: traces become conversations."""

from __future__ import annotations

from typing import Any

import pytest

from ai.models import ChatThread, Message, Run
from tests.services.imports import said
from tests.services.imports.conftest import Import

pytestmark = pytest.mark.django_db

USER, ANSWER = {"role": "user", "content": "Rain?"}, {"role": "assistant", "content": "Yes."}
MORE, LAST = {"role": "user", "content": "Much?"}, {"role": "assistant", "content": "No."}


class TestLangfuse:
    def trace(
        self, key: str = "tr1", *, second: int = 0, given: Any = None, answered: Any = None, **values: Any
    ) -> Any:
        at = f"2025-03-01T10:00:0{second}.000Z"
        generation = {
            "id": f"{key}-g",
            "traceId": key,
            "type": "GENERATION",
            "startTime": at,
            "endTime": f"2025-03-01T10:00:0{second + 1}.000Z",
            "model": "gpt-4o",
            "input": given or [USER],
            "output": answered or ANSWER,
            "usageDetails": {"input": 7, "output": 2, "total": 9},
            "totalCost": 0.0012,
        }
        return {
            "id": key,
            "timestamp": at,
            "name": "chat",
            "userId": "u1",
            "sessionId": "se1",
            "tags": ["weather"],
            "input": None,
            "output": None,
            "observations": [generation],
            "scores": [],
            **values,
        }

    def test_a_session_is_a_thread_and_what_was_repeated_is_said_once(self, load: Import) -> None:
        second = self.trace("tr2", second=5, given=[USER, ANSWER, MORE], answered=LAST)
        load(second, self.trace())

        thread = said.thread("se1")
        assert said.lines(thread) == ["user: Rain?", "assistant: Yes.", "user: Much?", "assistant: No."]
        assert (thread.user_id, thread.tags, thread.model, thread.source) == ("u1", ["weather"], "gpt-4o", "langfuse")

    def test_its_runs_have_tokens_cost_and_time(self, load: Import) -> None:
        load(self.trace())

        run = Run.objects.get()
        assert (run.status, run.model, run.external_id) == ("completed", "gpt-4o", "tr1")
        assert (run.prompt_tokens, run.completion_tokens, run.total_tokens) == (7, 2, 9)
        assert (str(run.cost), run.duration_ms) == ("0.00120000", 1000)
        assert Message.objects.filter(run_id=str(run.pk)).count() == 1

    def test_again_changes_nothing_and_more_adds_what_is_new(self, load: Import) -> None:
        load(self.trace())

        again = load(self.trace())
        more = load(self.trace("tr2", second=5, given=[USER, ANSWER, MORE], answered=LAST))

        assert {kind: numbers["new"] for kind, numbers in again.items()} == {"thread": 0, "message": 0, "run": 0}
        assert more["message"] == {"new": 2, "unchanged": 2, "refused": 0}
        assert said.lines(said.thread("se1"))[-1] == "assistant: No."

    def test_scores_are_feedback_on_the_answer(self, load: Import) -> None:
        score = {
            "id": "sc1",
            "traceId": "tr1",
            "name": "helpful",
            "value": 1,
            "dataType": "BOOLEAN",
            "comment": "Short",
            "authorUserId": "u9",
            "timestamp": "2025-03-01T11:00:00Z",
        }
        load(self.trace(scores=[score]))

        assert said.opinions() == [("up", "Short", "u9", "Yes.")]

    def test_rows_of_the_export_to_storage_are_joined(self, load: Import) -> None:
        row = {
            "id": "o1",
            "trace_id": "tr7",
            "type": "GENERATION",
            "start_time": "2025-03-01 10:00:00.000000",
            "end_time": "2025-03-01 10:00:02.000000",
            "session_id": "se7",
            "user_id": "u7",
            "input": '{"messages": [{"role": "user", "content": "Rain?"}]}',
            "output": '{"role": "assistant", "content": "Yes."}',
            "provided_model_name": "gpt-4o",
        }
        score = {
            "id": "s1",
            "trace_id": "tr7",
            "name": "tone",
            "value": 4,
            "string_value": None,
            "data_type": "NUMERIC",
        }
        load(row, score)

        thread = said.thread("se7")
        assert said.lines(thread) == ["user: Rain?", "assistant: Yes."]
        assert (thread.user_id, thread.model) == ("u7", "gpt-4o")
        assert len(said.opinions()) == 1

    def test_sessions_may_be_called_anything(self, load: Import) -> None:
        load(self.trace(sessionId="ann@example.com, 1st call"))

        assert said.lines(said.thread("ann@example.com, 1st call")) == ["user: Rain?", "assistant: Yes."]

    def test_what_is_nothing_of_it_is_refused_alone(self, load: Import) -> None:
        load({"id": "x"}, self.trace())

        assert load.reasons() == [": It is no trace, observation or score."]
        assert ChatThread.objects.count() == 1


class TestLangSmith:
    def run(self, key: str = "r1", **values: Any) -> Any:
        human = {"lc": 1, "type": "constructor", "id": ["langchain", "HumanMessage"], "kwargs": {"content": "Rain?"}}
        answer = {"lc": 1, "type": "constructor", "id": ["langchain", "AIMessage"], "kwargs": {"content": "Yes."}}
        return {
            "id": key,
            "trace_id": key,
            "name": "ChatOpenAI",
            "run_type": "llm",
            "start_time": "2025-03-01T10:00:00",
            "end_time": "2025-03-01T10:00:01.5",
            "inputs": {"messages": [[human]]},
            "outputs": {"generations": [[{"text": "Yes.", "message": answer}]]},
            "extra": {"metadata": {"thread_id": "th1", "ls_model_name": "gpt-4o"}},
            "prompt_tokens": 5,
            "completion_tokens": 1,
            "total_tokens": 6,
            **values,
        }

    def test_messages_of_langchain_are_read(self, load: Import) -> None:
        load(self.run())

        thread, run = said.thread("th1"), Run.objects.get()
        assert said.lines(thread) == ["user: Rain?", "assistant: Yes."]
        assert (thread.model, thread.source) == ("gpt-4o", "langsmith")
        assert (run.total_tokens, run.duration_ms) == (6, 1500)

    def test_the_whole_call_counts_not_its_parts(self, load: Import) -> None:
        root = self.run(run_type="chain", name="Agent", inputs={"input": "Rain?"}, outputs={"output": "Yes."})
        part = self.run("r2", trace_id="r1", parent_run_id="r1", inputs={"messages": [USER, MORE]})
        load(part, root)

        assert said.lines(said.thread("th1")) == ["user: Rain?", "assistant: Yes."]

    def test_an_answer_that_repeats_the_history_is_cut(self, load: Import) -> None:
        call = {"id": "k", "name": "f", "args": {"a": 1}}
        asked = {"type": "ai", "content": "", "tool_calls": [call]}
        told = {"type": "tool", "content": "7", "tool_call_id": "k"}
        human = {"type": "human", "content": "Rain?"}
        load(
            self.run(
                inputs={"messages": [human]},
                outputs={"messages": [human, asked, told, {"type": "ai", "content": "7!"}]},
            )
        )

        assert said.lines(said.thread("th1")) == ["user: Rain?", 'assistant: f({"a": 1})', "tool: 7", "assistant: 7!"]

    def test_a_run_that_failed_says_why(self, load: Import) -> None:
        load(self.run(outputs=None, error="RateLimitError"))

        run = Run.objects.get()
        assert (run.status, run.error_message) == ("failed", "RateLimitError")

    def test_examples_of_a_data_set_are_threads(self, load: Import) -> None:
        load({"inputs": {"question": "Rain?"}, "outputs": {"answer": "Yes."}, "created_at": "2025-03-01T10:00:00Z"})

        assert said.lines(ChatThread.objects.get()) == ["user: Rain?", "assistant: Yes."]

    def test_again_changes_nothing(self, load: Import) -> None:
        load(self.run())

        assert {kind: numbers["new"] for kind, numbers in load(self.run()).items()} == {
            "thread": 0,
            "message": 0,
            "run": 0,
        }
