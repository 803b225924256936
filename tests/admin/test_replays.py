"""Asking for replays, and comparing them."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ai.models import ChatThread, Job, Run, Tenant
from tests.admin.conversations import EVERYTHING, HOSTILE, answered, ask_and_replay, operator, same_rows
from tests.admin.test_rendering import ACTIVE, Seen
from tests.factories import language_model

pytestmark = pytest.mark.django_db


def form_of(row: ChatThread) -> str:
    """The form's address."""
    return f"/admin/ai/chatthread/{row.pk}/replay/"


def sent(**values: Any) -> dict[str, Any]:
    """A filled form."""
    return {"key": str(uuid4()), "models": ["local:smollm2"], **values}


def compare(run: Run, door: str = "") -> str:
    """The comparison's address."""
    return f"/admin/ai/run/{run.pk}/compare/{door}"


class TestForm:
    def test_offers_configured_models_and_the_embedded_one(self, tenant: Tenant) -> None:
        language_model(alias="fast")
        language_model(alias="retired", is_enabled=False)

        html = operator(tenant, *EVERYTHING).get(form_of(answered(tenant))).content.decode()

        assert 'value="fast"' in html
        assert 'value="local:smollm2" checked' in html
        assert "retired" not in html

    def test_queues_a_replay_on_each_model_and_shows_them(self, tenant: Tenant) -> None:
        language_model(alias="fast")
        made = answered(tenant)

        response = operator(tenant, *EVERYTHING).post(form_of(made), sent(models=["local:smollm2", "fast"]))

        runs = list(Run.objects.order_by("created", "pk"))
        assert {run.model for run in runs} == {"local:smollm2", "fast"}
        assert response.headers["Location"] in {compare(run) for run in runs}

    def test_takes_other_models_and_overrides(self, tenant: Tenant) -> None:
        values = sent(models=[], other="openai:gpt-4o-mini", override="on", instructions="Be brief", temperature="0.3")

        operator(tenant, *EVERYTHING).post(form_of(answered(tenant)), values)

        run = Run.objects.get()
        assert (run.model, run.instructions, run.settings) == ("openai:gpt-4o-mini", "Be brief", {"temperature": 0.3})

    def test_sent_twice_makes_one_replay(self, tenant: Tenant) -> None:
        made, values = answered(tenant), sent()
        client = operator(tenant, *EVERYTHING)

        answers = [client.post(form_of(made), values) for _ in range(2)]

        assert Run.objects.count() == Job.objects.all().count() == 1
        assert answers[0].headers["Location"] == answers[1].headers["Location"]

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"models": []}, "Choose at least one model."),
            ({"models": [], "other": "<script>"}, "is no model"),
            ({"temperature": "9"}, "less than or equal to 2"),
            ({"models": ["nonsense"]}, "is not one of the available choices"),
            ({"models": [], "other": " ".join(f"openai:m{number}" for number in range(9))}, "at most 8 models"),
        ],
    )
    def test_says_what_is_wrong(self, tenant: Tenant, values: dict[str, Any], words: str) -> None:
        response = operator(tenant, *EVERYTHING).post(form_of(answered(tenant)), sent(**values))

        assert response.status_code == 400
        assert words in response.content.decode()
        assert not Run.objects.exists()

    def test_takes_one_run_of_the_thread(self, tenant: Tenant) -> None:
        made, original, _ = ask_and_replay(tenant)

        operator(tenant, *EVERYTHING).post(form_of(made), sent(run=str(original.pk)))

        assert Run.objects.replays().get().replay_of == original.pk

    def test_does_not_know_a_run_of_another_thread(self, tenant: Tenant) -> None:
        _, elsewhere, _ = ask_and_replay(tenant)

        url = f"{form_of(answered(tenant))}?run={elsewhere.pk}"
        assert operator(tenant, *EVERYTHING).get(url).status_code == 404

    def test_of_a_selection_leads_to_the_job(self, tenant: Tenant) -> None:
        rows = [answered(tenant) for _ in range(3)]
        chosen = ",".join(str(row.pk) for row in rows)

        response = operator(tenant, *EVERYTHING).post("/admin/ai/chatthread/replay/", sent(ids=chosen))

        job = Job.objects.get()
        assert job.total == Run.objects.count() == 3
        assert response.headers["Location"] == f"/admin/ai/job/{job.pk}/change/"

    def test_leaves_the_thread_as_it_was(self, tenant: Tenant) -> None:
        made = answered(tenant)
        before = made.to_json_with_messages()

        operator(tenant, *EVERYTHING).post(form_of(made), sent())

        made.refresh_from_db()
        assert made.to_json_with_messages() == before


class TestCompare:
    def test_shows_original_and_replays_with_their_differences(self, tenant: Tenant) -> None:
        _, _, replays = ask_and_replay(tenant, "It is in Paris.", "It is in Lyon.")

        html = operator(tenant, *EVERYTHING).get(compare(replays[0])).content.decode()

        assert "Where is my parcel?" in html
        assert "It is in <del>Lyon</del><ins>Paris</ins>." in html
        assert 'data-active="no"' in html
        for model in ("first-model", "model-0", "model-1"):
            assert model in html

    def test_is_live_while_a_model_writes(self, tenant: Tenant) -> None:
        _, _, replays = ask_and_replay(tenant, "It is in Paris.")
        so_far = [{"role": "assistant", "content": "It was"}]
        Run.objects.filter(pk=replays[0].pk).update(status="in_progress", ended_at=None, output=so_far)
        client = operator(tenant, *EVERYTHING)

        html = client.get(compare(replays[0])).content.decode()
        state = json.loads(client.get(compare(replays[0], "live/")).content)

        assert 'data-active="yes"' in html
        assert state["active"] is True
        assert state["status"] == "0 of 1 finished"
        assert {answer["key"] for answer in state["answers"]} == {"original", str(replays[0].pk)}
        assert "Cancel" in state["answers"][1]["html"]
        assert "It <del>is</del><ins>was</ins></div>" in state["answers"][1]["html"]

    def test_stops_being_live_when_all_have_ended(self, tenant: Tenant) -> None:
        _, _, replays = ask_and_replay(tenant, "It is in Paris.")
        client = operator(tenant, *EVERYTHING)

        first, second = (json.loads(client.get(compare(replays[0], "live/")).content) for _ in range(2))

        assert first["active"] is False
        assert [answer["version"] for answer in first["answers"]] == [answer["version"] for answer in second["answers"]]
        assert "<ins>Paris</ins>" in first["answers"][1]["html"]

    def test_costs_the_same_for_one_replay_and_thirty(self, tenant: Tenant) -> None:
        client = operator(tenant, *EVERYTHING)
        costs = []
        for count in (1, 30):
            _, _, replays = ask_and_replay(tenant, *(f"Text {number}" for number in range(count)))
            client.get(compare(replays[0]))
            with CaptureQueriesContext(connection) as queries:
                client.get(compare(replays[0], "live/"))
            costs.append(len(queries))

        assert costs[0] == costs[1] <= 12

    @pytest.mark.parametrize("text", HOSTILE)
    def test_shows_hostile_answers_inert(self, tenant: Tenant, text: str) -> None:
        _, _, replays = ask_and_replay(tenant, text)
        output = [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c", "function": {"name": text, "arguments": text}}],
            },
            {"role": "tool", "tool_call_id": "c", "content": text},
            {"role": "assistant", "content": text},
        ]
        Run.objects.filter(pk=replays[0].pk).update(output=output, error_message=text, model=text)
        client = operator(tenant, "view_run")

        parts = json.loads(client.get(compare(replays[0], "live/")).content)["answers"]

        for part in parts:
            seen = Seen(part["html"])
            assert not ACTIVE & set(seen.tags)
            assert not [name for _, name, _ in seen.attributes if name.startswith("on")]

    def test_promotes_a_replay_to_a_thread(self, tenant: Tenant) -> None:
        made, _, replays = ask_and_replay(tenant, "It is in Paris.")
        client = operator(tenant, *EVERYTHING)

        answers = [client.post(compare(replays[0], "promote/")) for _ in range(2)]

        fork = ChatThread.objects.exclude(pk=made.pk).get()
        assert fork.forked_from == made.pk
        assert {answer.headers["Location"] for answer in answers} == {f"/admin/ai/chatthread/{fork.pk}/change/"}
        assert "Open its thread" in client.get(compare(replays[0])).content.decode()

    def test_cancels_a_replay(self, tenant: Tenant) -> None:
        _, _, replays = ask_and_replay(tenant, "x")
        Run.objects.filter(pk=replays[0].pk).update(status="queued", ended_at=None)

        response = operator(tenant, *EVERYTHING).post(compare(replays[0], "cancel/"))

        assert response.headers["Location"] == compare(replays[0])
        assert Run.objects.get(pk=replays[0].pk).status == "cancelled"

    def test_says_that_an_ended_replay_cannot_be_cancelled(self, tenant: Tenant) -> None:
        _, _, replays = ask_and_replay(tenant, "x")

        response = operator(tenant, *EVERYTHING).post(compare(replays[0], "cancel/"), follow=True)

        assert "The run has already ended." in response.content.decode()

    @pytest.mark.parametrize("door", ["promote/", "cancel/"])
    def test_getting_a_door_changes_nothing(self, tenant: Tenant, door: str) -> None:
        _, _, replays = ask_and_replay(tenant, "x")

        with same_rows(tenant):
            assert operator(tenant, *EVERYTHING).get(compare(replays[0], door)).status_code == 404

    @pytest.mark.parametrize(
        ("door", "permission"),
        [("", "view_run"), ("live/", "view_run"), ("promote/", "add_chatthread"), ("cancel/", "cancel_run")],
    )
    def test_needs_the_permission(self, tenant: Tenant, door: str, permission: str) -> None:
        _, _, replays = ask_and_replay(tenant, "x")
        without = operator(tenant, *(held for held in EVERYTHING if held != permission))
        ask = without.post if door in {"promote/", "cancel/"} else without.get

        with same_rows(tenant):
            assert ask(compare(replays[0], door)).status_code == 403

    @pytest.mark.parametrize("door", ["", "live/", "promote/", "cancel/"])
    def test_does_not_know_runs_of_another_tenant(self, tenant: Tenant, door: str) -> None:
        other = Tenant.objects.create(name="Kestrel")
        _, _, replays = ask_and_replay(other, "x")
        client = operator(tenant, *EVERYTHING)
        ask = client.post if door in {"promote/", "cancel/"} else client.get

        with same_rows(other):
            assert ask(compare(replays[0], door)).status_code == 404
