"""How many calls to a model one job has open at a time, whatever it asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from ai import llm
from ai.models import Feedback, Tenant
from ai.services import titles
from ai.services.triage import suggesting
from tests import factories
from tests.fakes.vendors import Recorded, Reply, VendorServer
from tests.services.retitling import end_task
from tests.services.reviews.judges import SAYS_YES, answering, judge, run
from tests.services.reviews.making import queue
from tests.services.triage.suggested import NOW, chose, given

pytestmark = pytest.mark.django_db

MANY = 5


@pytest.fixture(autouse=True)
def _two(settings: Any) -> None:
    settings.AI_MODEL_CONCURRENCY = 2


def slowly(reply: Callable[[Recorded], Reply]) -> Callable[[Recorded], Reply]:
    """The same answer, a moment later."""
    return lambda request: replace(reply(request), first_byte_delay=0.1)


def test_holds_for_titles(scripted: VendorServer, tenant: Tenant) -> None:
    scripted.script(slowly(end_task("Lost parcel")))
    asked = titles.Conversation((("user", "Where is my parcel?"),))

    found = titles.find([asked] * MANY, spec=titles.model_spec("scripted"))

    assert [(each.title, each.source) for each in found] == [("Lost parcel", "scripted")] * MANY
    assert scripted.most_thinking == 2


def test_holds_for_labels(scripted: VendorServer, tenant: Tenant, settings: Any) -> None:
    settings.AI_FEEDBACK_MODEL = "scripted"
    scripted.script(slowly(chose("wrong")))
    for number in range(MANY):
        given(tenant, user=f"user-{number}")

    assert suggesting.carry_on(now=lambda: NOW) == MANY

    assert scripted.most_thinking == 2
    assert not Feedback.objects.to_suggest(at=NOW).exists()


def test_holds_for_judgements(scripted: VendorServer, tenant: Tenant) -> None:
    scripted.script(slowly(answering(SAYS_YES)))
    made = queue(tenant, items=MANY)
    judge(made)

    assert run(made).done == MANY

    assert scripted.most_thinking == 2


def test_is_one_for_the_embedded_model(tenant: Tenant) -> None:
    factories.language_model(alias="fast")

    assert llm.spec("local:smollm2").concurrency == 1
    assert llm.spec("fast").concurrency == 2


def test_is_what_a_worker_takes_of_feedback_so_that_its_lease_suffices(tenant: Tenant, settings: Any) -> None:
    settings.AI_FEEDBACK_MODEL, settings.AI_LOCAL_MODEL_PATH = "local:smollm2", "/nowhere.gguf"
    for number in range(3):
        given(tenant, user=f"user-{number}")
    taken: list[int] = []

    def now() -> datetime:
        taken.append(Feedback.objects.filter(suggest_tries__gt=0).count())
        return NOW

    assert suggesting.carry_on(now=now) == 3

    # To begin with, before and after it took one; whether there is time for more; and so on.
    assert taken == [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
