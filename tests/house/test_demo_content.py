"""The demo conversations are well formed: read as plain JSON, without Django, so that a slip in the data is named here."""

import json
import re
from collections import Counter
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

DEMO = Path(__file__).parents[2] / "fixtures" / "demo"
FINAL_STATES = {"completed", "failed", "cancelled", "incomplete", "expired"}
ERROR_CODES = {
    "rate_limit_exceeded",
    "server_error",
    "invalid_prompt",
    "context_length_exceeded",
    "authentication_failed",
    "model_not_found",
    "timeout",
}


def load(name: str) -> Any:
    """One JSON file of the demo folder."""
    return json.loads((DEMO / name).read_text(encoding="utf-8"))


def load_threads() -> list[dict[str, Any]]:
    """Every conversation of every `*.jsonl` file."""
    lines = [line for path in sorted(DEMO.glob("*.jsonl")) for line in path.read_text(encoding="utf-8").splitlines()]
    return [json.loads(line) for line in lines]


THREADS = load_threads()
TENANTS = {tenant["key"] for tenant in load("tenants.json")}
TOOLS: dict[str, list[dict[str, Any]]] = load("tools.json")
ASSISTANTS = load("assistants.json")
ALIASES = {model["alias"] for model in load("language_models.json")} | {"local:smollm2"}
FILES = {file["name"]: file for file in load("files.json")}
HOSTILE = "<script>alert('title')</script> Order <b>help</b>"

every_thread = pytest.mark.parametrize("thread", THREADS, ids=[thread["id"] for thread in THREADS])


def tool_names(tools: str | list[dict[str, Any]]) -> set[str]:
    """The names of the tools of a run or assistant, given in full or by a name in `tools.json`."""
    return {tool["function"]["name"] for tool in (TOOLS[tools] if isinstance(tools, str) else tools)}


def feedback_of(thread: dict[str, Any]) -> list[dict[str, Any]]:
    """Everybody's feedback in a conversation."""
    return [feedback for message in thread["messages"] for feedback in message.get("feedback", [])]


def unanswered(messages: list[dict[str, Any]]) -> list[str]:
    """Complaints about tool calls without a result right after them, and results without a call."""
    open_calls: dict[str, str] = {}
    complaints = []
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            name = open_calls.pop(message["tool_call_id"], None)
            if name != message["name"]:
                complaints.append(f"message {index} answers no open call of {message['name']}")
            continue
        if open_calls:
            complaints.append(f"message {index} comes before the results of {sorted(open_calls)}")
        open_calls = {call["id"]: call["function"]["name"] for call in message.get("tool_calls", [])}
    return complaints + [f"no result for {call}" for call in open_calls]


class TestThread:
    @every_thread
    def test_has_the_fields_of_a_thread(self, thread: dict[str, Any]) -> None:
        assert set(thread) == {
            "tenant",
            "id",
            "name",
            "tags",
            "user_id",
            "external_id",
            "days_ago",
            "messages",
            "runs",
        }
        assert thread["tenant"] in TENANTS
        assert str(UUID(thread["id"])) == thread["id"]
        assert 0 < thread["days_ago"] <= 30

    @every_thread
    def test_has_a_title_of_two_to_six_words_or_none(self, thread: dict[str, Any]) -> None:
        title = thread["name"]

        spaceless = title and re.search("[\u3040-\u30ff\u4e00-\u9fff]", title)
        assert title is None or (len(title) <= 20 if spaceless else len(title.split()) in range(2, 7))

    @every_thread
    def test_tells_its_messages_in_order(self, thread: dict[str, Any]) -> None:
        seconds = [message["seconds"] for message in thread["messages"]]

        assert seconds[0] == 0
        assert all(earlier <= later for earlier, later in pairwise(seconds))
        assert {message["role"] for message in thread["messages"]} <= {"system", "user", "assistant", "tool"}

    @every_thread
    def test_answers_every_tool_call(self, thread: dict[str, Any]) -> None:
        calls = [call for message in thread["messages"] for call in message.get("tool_calls", [])]

        assert unanswered(thread["messages"]) == []
        assert len({call["id"] for call in calls}) == len(calls)
        assert all(isinstance(json.loads(call["function"]["arguments"]), dict) for call in calls)

    @every_thread
    def test_attaches_only_files_that_exist(self, thread: dict[str, Any]) -> None:
        names = [name for message in thread["messages"] for name in message.get("attachments", [])]

        assert all((DEMO / FILES[name]["path"]).stat().st_size for name in names)

    @every_thread
    def test_can_be_stored_in_every_database(self, thread: dict[str, Any]) -> None:
        assert "\\u0000" not in json.dumps(thread)
        json.dumps(thread, ensure_ascii=False).encode("utf-8")


class TestRun:
    @every_thread
    def test_covers_output_and_nothing_else(self, thread: dict[str, Any]) -> None:
        messages = thread["messages"]
        written: list[int] = []
        for run in thread["runs"]:
            assert 0 < run["from"] <= len(messages)
            assert messages[run["from"] - 1]["role"] == "user"
            if run["to"] is not None:
                written += range(run["from"], run["to"] + 1)

        produced = [index for index, message in enumerate(messages) if message["role"] in {"assistant", "tool"}]
        assert written == produced

    @every_thread
    def test_ends_in_a_final_state_with_its_reason(self, thread: dict[str, Any]) -> None:
        for run in thread["runs"]:
            assert run["status"] in FINAL_STATES
            assert run["model"] in ALIASES
            assert ("error" in run) >= (run["status"] in {"failed", "expired"})
            assert run.get("error", {"code": "timeout"})["code"] in ERROR_CODES
            assert (run["status"] == "completed") <= (run["to"] is not None)

    @every_thread
    def test_measures_what_it_used(self, thread: dict[str, Any]) -> None:
        for run in thread["runs"]:
            assert 0 <= run["cached_tokens"] <= run["prompt_tokens"]
            assert (run["to"] is None) == (run["completion_tokens"] == 0)
            assert Decimal(run["cost"]) >= 0
            assert run["ttft_ms"] is None or 0 < run["ttft_ms"] <= run["duration_ms"]

    @every_thread
    def test_calls_only_tools_it_was_given(self, thread: dict[str, Any]) -> None:
        for run in thread["runs"]:
            if run["to"] is not None:
                output = thread["messages"][run["from"] : run["to"] + 1]
                called = {c["function"]["name"] for message in output for c in message.get("tool_calls", [])}
                assert called <= tool_names(run["tools"])


class TestFeedback:
    @every_thread
    def test_is_given_to_answers_once_by_each_person(self, thread: dict[str, Any]) -> None:
        for message in thread["messages"]:
            people = [feedback["user_id"] for feedback in message.get("feedback", [])]
            assert not people or message["role"] == "assistant"
            assert len(set(people)) == len(people)

    @every_thread
    def test_uses_known_ratings_scores_and_states(self, thread: dict[str, Any]) -> None:
        for feedback in feedback_of(thread):
            assert feedback["rating"] in {"up", "down", None}
            assert feedback.get("score") in {None, 1, 2, 3, 4, 5}
            assert feedback["state"] in {"open", "triaged", "resolved", "dismissed"}


class TestTriage:
    @pytest.mark.parametrize("entry", load("triage.json"), ids=lambda entry: f"{entry['thread'][:8]}-{entry['user']}")
    def test_is_of_feedback_that_is_there_and_after_it_was_given(self, entry: dict[str, Any]) -> None:
        thread = next(thread for thread in THREADS if thread["id"] == entry["thread"])
        message = thread["messages"][entry["message"]]
        here = {given["user_id"]: given for given in message.get("feedback", [])}
        since = thread["days_ago"] * 24 + (thread["messages"][-1]["seconds"] - message["seconds"]) / 3600
        given = entry.get("minutes", 3) / 60

        assert message["role"] == "assistant"
        assert (entry["user"] in here) == ("given" not in entry)
        assert here.get(entry["user"], {"state": "open"})["state"] == "open"
        assert entry.get("given", {"rating": "up"})["rating"] in {"up", "down"}
        hours = [step["hours"] for step in entry["steps"]]
        assert hours == sorted(hours)
        assert given + max(hours, default=0) < since, "it would not have happened yet"

    def test_leads_from_duplicates_to_what_comes_before_them(self) -> None:
        met = set()
        for entry in load("triage.json"):
            for step in entry["steps"]:
                if "duplicate_of" in step:
                    assert (entry["thread"], entry["message"], step["duplicate_of"]) in met
            met.add((entry["thread"], entry["message"], entry["user"]))


class TestCollection:
    def test_has_about_forty_threads_in_both_tenants(self) -> None:
        tenants = Counter(thread["tenant"] for thread in THREADS)

        assert 40 <= len(THREADS) <= 50
        assert min(tenants.values()) >= 15
        assert len({thread["id"] for thread in THREADS}) == len(THREADS)
        assert 1_000 <= sum(len(thread["messages"]) for thread in THREADS) <= 1_400

    def test_shows_every_state_rating_and_model(self) -> None:
        feedback = [item for thread in THREADS for item in feedback_of(thread)]
        runs = [run for thread in THREADS for run in thread["runs"]]
        codes = {run["error"]["code"] for run in runs if "error" in run}

        assert {item["state"] for item in feedback} == {"open", "triaged", "resolved", "dismissed"}
        assert {item["rating"] for item in feedback} == {"up", "down", None}
        assert {run["status"] for run in runs} == FINAL_STATES
        assert {run["model"] for run in runs} == ALIASES - {"smollm2"}
        assert codes >= {"rate_limit_exceeded", "authentication_failed", "timeout", "server_error"}

    def test_keeps_a_dashboard_of_thirty_days_alive(self) -> None:
        weeks = Counter(int(thread["days_ago"] // 7) for thread in THREADS)

        assert all(weeks[week] >= 5 for week in range(4))
        assert sum(thread["days_ago"] < 1 for thread in THREADS) >= 3

    def test_has_one_thread_of_three_hundred_turns(self) -> None:
        longest = max(THREADS, key=lambda thread: len(thread["messages"]))
        answers = [message["content"] for message in longest["messages"] if message["role"] == "assistant"]

        assert Counter(message["role"] for message in longest["messages"]) == {"user": 300, "assistant": 300}
        assert len(set(answers)) == len(answers)

    def test_speaks_other_languages(self) -> None:
        text = json.dumps(THREADS, ensure_ascii=False)

        for script in ("\u0600-\u06ff", "\u0590-\u05ff", "\u0900-\u097f", "\u3040-\u30ff", "\u4e00-\u9fff"):
            assert len(re.findall(f"[{script}]", text)) > 300

    def test_calls_tools_in_parallel_and_in_chains(self) -> None:
        turns = [message.get("tool_calls", []) for thread in THREADS for message in thread["messages"]]
        chains = [
            [bool(m.get("tool_calls")) for m in thread["messages"][run["from"] : run["to"] + 1]]
            for thread in THREADS
            for run in thread["runs"]
            if run["to"] is not None
        ]

        assert sum(len(calls) > 1 for calls in turns) >= 5
        assert sum(chain.count(True) > 1 for chain in chains) >= 5


class TestHostileThread:
    def test_attacks_every_place_that_is_rendered(self) -> None:
        thread = next(thread for thread in THREADS if thread["name"] == HOSTILE)
        by_role: dict[str, str] = {}
        for message in thread["messages"]:
            by_role[message["role"]] = by_role.get(message["role"], "") + str(message["content"])

        assert "<script>" in thread["user_id"]
        assert "onerror=" in "".join(thread["tags"])
        assert "onerror=" in by_role["tool"]
        assert "<script>" in by_role["user"]
        for weapon in ("javascript:", "![loading](https://", "<!--", "<style>", "onload=", "<form"):
            assert weapon in by_role["assistant"]
        assert any("onerror=" in name for message in thread["messages"] for name in message.get("attachments", []))
        assert any("<script>" in feedback["comment"] for feedback in feedback_of(thread))
        assert any("<script>" in run["error"]["message"] for run in thread["runs"] if "error" in run)


class TestNeighbours:
    def test_files_are_listed_and_safe_to_check_out(self) -> None:
        stored = {f"files/{path.name}" for path in (DEMO / "files").iterdir()}

        assert stored == {file["path"] for file in FILES.values()}
        assert all(re.fullmatch(r"files/[a-z0-9_]+\.(txt|csv|md|png|pdf)", path) for path in stored)

    def test_assistants_use_known_tenants_models_and_tools(self) -> None:
        for assistant in ASSISTANTS:
            assert assistant["tenant"] in TENANTS
            assert assistant["model"] in ALIASES
            assert assistant["tools"] == [] or tool_names(assistant["tools"])

    def test_assistants_of_runs_exist(self) -> None:
        known = {(assistant["tenant"], assistant["name"]) for assistant in ASSISTANTS}

        assert {(thread["tenant"], run["assistant"]) for thread in THREADS for run in thread["runs"]} <= known

    def test_language_models_carry_no_secret(self) -> None:
        for model in load("language_models.json"):
            assert model["api_key_env"] == "" or re.fullmatch(r"[A-Z_]+_API_KEY", model["api_key_env"])
            assert Decimal(model["input_price"]) <= Decimal(model["output_price"])
