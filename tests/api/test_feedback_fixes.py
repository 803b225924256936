"""The replay that fixed a feedback, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from ai import ids
from ai.models import Feedback, Message, Run, Tenant
from tests import factories
from tests.admin.conversations import ask_and_replay
from tests.api.calling import Caller
from tests.api.opinions import answer_of, give

pytestmark = pytest.mark.django_db


@pytest.fixture
def replay(tenant: Tenant) -> Run:
    return ask_and_replay(tenant, "It is in Paris.")[2][0]


@pytest.fixture
def given(caller: Caller, replay: Run) -> dict[str, Any]:
    """Feedback on the answer that was replayed."""
    answer = Message.objects.list_thread_messages(str(replay.replay_of_thread)).last()
    assert answer is not None
    return give(caller, answer)


def test_is_set_read_and_taken_off(caller: Caller, given: dict[str, Any], replay: Run) -> None:
    name = ids.public("run", replay.pk)

    linked = caller.post(f"/feedback/{given['id']}", {"fixed_by": name, "state": "resolved"}).data
    read = caller.get(f"/feedback/{given['id']}").data
    untouched = caller.post(f"/feedback/{given['id']}", {"severity": 2}).data
    off = caller.post(f"/feedback/{given['id']}", {"fixed_by": ""}).data

    assert given["fixed_by"] is None
    assert [each["fixed_by"] for each in (linked, read, untouched, off)] == [name, name, name, None]
    assert (linked["state"], linked["version"], off["state"]) == ("resolved", 1, "resolved")


def test_is_part_of_the_history(caller: Caller, given: dict[str, Any], replay: Run) -> None:
    caller.post(f"/feedback/{given['id']}", {"fixed_by": ids.public("run", replay.pk)})

    events = caller.get(f"/feedback/{given['id']}/history").data["data"]

    assert [event["after"] for event in events] == [{"fixed_by": str(replay.pk)}]


def test_is_a_replay_of_this_answer_and_of_this_tenant(
    caller: Caller, given: dict[str, Any], replay: Run, tenant: Tenant
) -> None:
    elsewhere = ask_and_replay(factories.tenant("Elsewhere"), "x")[2][0]
    other = give(caller, answer_of(tenant))
    refused = [
        caller.post(f"/feedback/{given['id']}", {"fixed_by": ids.public("run", elsewhere.pk), "severity": 1}),
        caller.post(f"/feedback/{given['id']}", {"fixed_by": ids.public("run", str(replay.replay_of)), "severity": 1}),
        caller.post(f"/feedback/{given['id']}", {"fixed_by": "nonsense", "severity": 1}),
        caller.post(f"/feedback/{other['id']}", {"fixed_by": ids.public("run", replay.pk), "severity": 1}),
    ]

    assert [each.status_code for each in refused] == [400] * 4
    assert {each.data["error"]["param"] for each in refused} == {"fixed_by"}
    assert set(Feedback.objects.values_list("fixed_by", "severity", "version")) == {(None, 0, 0)}
