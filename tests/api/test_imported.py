"""What was imported answers under the ids that it had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from ai.models import ModelRoute, Tenant
from ai.services import actors
from ai.services.imports import loading
from ai.services.runs import drain
from tests.api.calling import Caller
from tests.fakes.vendors import Reply
from tests.runner.scripted import scripted_model
from tests.services.imports import dumps

pytestmark = pytest.mark.django_db

HEX = "0190f3c2a7b84d6e9f01234567890abc"


@pytest.fixture
def load(tenant: Tenant, tmp_path: Path) -> Any:
    def _load(*objects: Any) -> None:
        path = dumps.lines(tmp_path / "dump.jsonl", *objects)
        loading.load(path=path, format_="assistants", tenant_id=tenant.pk, by=actors.SYSTEM, at=timezone.now())

    return _load


def ids_of(answer: Any) -> list[str]:
    return [each["id"] for each in answer.data["data"]]


def common(given: dict[str, Any], answer: dict[str, Any], *apart_from: str) -> None:
    """Whatever the answer and the dump both tell is the same."""
    keys = given.keys() & answer.keys() - set(apart_from)
    assert {key: answer[key] for key in keys} == {key: given[key] for key in keys}


class TestWhatWasImported:
    @pytest.mark.parametrize("name", ["abc", HEX])
    def test_answers_under_its_old_ids(self, caller: Caller, load: Any, name: str) -> None:
        messages, runs, steps = dumps.talk(name)
        load(dumps.assistant(), dumps.thread(name), *messages, *runs, *steps)
        thread = f"/threads/thread_{name}"

        common(dumps.assistant(), caller.get("/assistants/asst_abc").data)
        common(dumps.thread(name), caller.get(thread).data)
        common(messages[0], caller.get(f"{thread}/messages/msg_{name}q").data)
        common(messages[1], caller.get(f"{thread}/messages/msg_{name}a").data)
        common(runs[0], caller.get(f"{thread}/runs/run_{name}").data)
        common(steps[0], caller.get(f"{thread}/runs/run_{name}/steps/step_{name}1").data, "metadata")
        common(steps[1], caller.get(f"{thread}/runs/run_{name}/steps/step_{name}2").data, "metadata")

    def test_is_listed_in_order_without_its_calls(self, caller: Caller, load: Any) -> None:
        messages, runs, steps = dumps.talk(turns=2)
        load(dumps.thread(), *messages, *runs, *steps)

        listed = caller.get("/threads/thread_abc/messages?order=asc&limit=3")
        rest = caller.get(f"/threads/thread_abc/messages?order=asc&after={listed.data['last_id']}")

        assert ids_of(listed) + ids_of(rest) == [message["id"] for message in messages]
        assert ids_of(caller.get("/threads/thread_abc/runs?order=asc")) == ["run_abc", "run_abcx1"]
        assert ids_of(caller.get("/threads/thread_abc/runs/run_abc/steps?order=asc")) == ["step_abc1", "step_abc2"]
        assert ids_of(caller.get("/threads/thread_abc/messages?run_id=run_abc")) == ["msg_abca"]

    def test_goes_on(self, caller: Caller, load: Any) -> None:
        load(dumps.thread(), dumps.message("q"))

        said = caller.post("/threads/thread_abc/messages", {"role": "user", "content": "Still there?"})

        assert said.status_code == 200
        assert said.data["thread_id"] == "thread_abc"
        assert ids_of(caller.get("/threads/thread_abc/messages")) == [said.data["id"], "msg_q"]

    def test_is_answered_by_the_model_that_the_old_name_is_mapped_to(
        self, caller: Caller, load: Any, tenant: Tenant
    ) -> None:
        messages, runs, steps = dumps.talk()
        search = {
            "tools": [{"type": "file_search"}],
            "tool_resources": {"file_search": {"vector_store_ids": ["vs_abc"]}},
        }
        load(dumps.assistant(**search), dumps.thread(), *messages, *runs, *steps)
        ModelRoute.objects.set(tenant_id=tenant.pk, pattern="gpt-4*", alias="scripted")
        with scripted_model() as (server, _):
            server.script(Reply(chunks=("It still rains.",)))
            caller.post("/threads/thread_abc/messages", {"role": "user", "content": "And now?"})

            run = caller.post("/threads/thread_abc/runs", {"assistant_id": "asst_abc"}).data
            drain(worker="w", now=timezone.now)

        ended = caller.get(f"/threads/thread_abc/runs/{run['id']}").data
        assert (ended["status"], ended["assistant_id"], ended["model"]) == ("completed", "asst_abc", "gpt-4o")
        answer = caller.get("/threads/thread_abc/messages?limit=1").data["data"][0]
        assert answer["content"][0]["text"]["value"] == "It still rains."
        sent = [message["role"] for message in server.requests[-1].json["messages"]]
        assert sent == ["system", "user", "assistant", "tool", "assistant", "user"]

    def test_is_another_tenants_nowhere(self, caller: Caller, stranger: Caller, load: Any) -> None:
        load(dumps.thread(), dumps.message("q"))

        assert caller.get("/threads/thread_abc").status_code == 200
        assert stranger.get("/threads/thread_abc").status_code == 404

    def test_names_the_assistant_of_an_answer_whose_run_is_not_known(self, caller: Caller, load: Any) -> None:
        load(dumps.message("a", role="assistant", run_id="run_gone"))

        message = caller.get("/threads/thread_abc/messages/msg_a").data

        assert (message["assistant_id"], message["run_id"]) == ("asst_abc", "run_gone")


def test_no_junk_breaks_an_answer(caller: Caller, load: Any) -> None:
    values: list[Any] = [
        None,
        True,
        -1,
        1e300,
        "",
        "x",
        [],
        {},
        [[]],
        [{}],
        {"a": 1},
        {"type": "text", "text": 1},
        "\ud800",
    ]
    wholes = [
        dumps.assistant(),
        dumps.thread(),
        dumps.message("m"),
        dumps.message("a", role="assistant", status="incomplete", incomplete_details={"reason": "max_tokens"}),
        dumps.run(),
        dumps.run("f", status="failed", last_error={"code": "server_error", "message": "Oh."}),
        dumps.step("s", dumps.calling(("call_1", "{}", "rain"))),
        dumps.file("f"),
    ]
    junk = [{**whole, "id": f"{whole['id']}_{key}_{n}", key: value} for whole in wholes for key in whole if key != "id" for n, value in enumerate(values)]  # fmt: skip
    parts = [
        {"type": kind, kind: value} for kind in ("text", "image_file", "image_url", "refusal", "x") for value in values
    ]
    junk += [dumps.message(f"p{n}", content=[part, {"type": "text", "text": "x"}]) for n, part in enumerate(parts)]
    load(*junk, dumps.run(), dumps.thread(), dumps.message("good"))

    paths = ["/assistants", "/threads", "/threads/thread_abc/messages", "/threads/thread_abc/runs"]
    answers = [page for path in paths for page in pages(caller, path)]
    for run_id in [each["id"] for each in answers if each["object"] == "thread.run"]:
        answers += pages(caller, f"/threads/thread_abc/runs/{run_id}/steps")

    assert {each["object"] for each in answers} == {
        "assistant", "thread", "thread.message", "thread.run", "thread.run.step"
    }  # fmt: skip
    assert "msg_good" in {each["id"] for each in answers}


def pages(caller: Caller, path: str) -> list[dict[str, Any]]:
    """Every object of a list."""
    found: list[dict[str, Any]] = []
    more, after = True, ""
    while more:
        answer = caller.get(f"{path}?limit=100{after}")
        assert answer.status_code == 200, answer.content
        found += answer.data["data"]
        more, after = answer.data["has_more"], f"&after={answer.data['last_id']}"
    return found
