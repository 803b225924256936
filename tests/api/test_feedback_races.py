"""Feedback over real HTTP, many requests at once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from ai import ids
from ai.models import Feedback, FeedbackEvent, FeedbackReceipt, Tenant
from tests.api.calling import make_key
from tests.api.live import served
from tests.api.opinions import about, answer_of

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 8


def at_once(tenant: Tenant, requests: list[tuple[str, dict[str, Any]]]) -> list[httpx.Response]:
    """Send all of them at the same time to a live server."""
    _, key = make_key(tenant, scopes=["feedback"])
    with (
        served() as url,
        httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=30) as http,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        return list(pool.map(lambda request: http.post(request[0], json=request[1]), requests))


class TestCreate:
    def test_under_one_id_keeps_one_and_answers_it_to_all(self, tenant: Tenant) -> None:
        body = about(answer_of(tenant), external_id="click-1")

        answers = at_once(tenant, [("/feedback", body)] * AT_ONCE * 2)

        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert Feedback.objects.get().history == []
        assert FeedbackReceipt.objects.count() == 1

    def test_under_one_id_about_several_messages_keeps_one(self, tenant: Tenant) -> None:
        bodies = [about(answer_of(tenant), external_id="click-1") for _ in range(AT_ONCE)]

        answers = at_once(tenant, [("/feedback", body) for body in bodies])

        assert Counter(answer.status_code for answer in answers) == {200: 1, 400: AT_ONCE - 1}
        assert Feedback.objects.count() == FeedbackReceipt.objects.count() == 1

    def test_of_several_users_keeps_everybodys(self, tenant: Tenant) -> None:
        answer = answer_of(tenant)

        answers = at_once(tenant, [("/feedback", about(answer, user=f"user-{n}")) for n in range(AT_ONCE)])

        assert {answer.status_code for answer in answers} == {200}
        assert set(Feedback.objects.values_list("user_id", flat=True)) == {f"user-{n}" for n in range(AT_ONCE)}

    def test_of_one_user_keeps_every_opinion(self, tenant: Tenant) -> None:
        answer = answer_of(tenant)

        at_once(tenant, [("/feedback", about(answer, comment=str(n))) for n in range(AT_ONCE)])

        row = Feedback.objects.get()
        assert {row.comment, *(earlier["comment"] for earlier in row.history)} == set(map(str, range(AT_ONCE)))


class TestModify:
    def test_of_one_version_is_done_once(self, tenant: Tenant) -> None:
        answer = answer_of(tenant)
        row = answer.add_feedback({"rating": "down"}, "cora")
        path = f"/feedback/{ids.public('feedback', row.pk)}"

        answers = at_once(tenant, [(path, {"version": 0, "labels": [f"label {n}"]}) for n in range(AT_ONCE)])

        assert Counter(answer.status_code for answer in answers) == {200: 1, 409: AT_ONCE - 1}
        (done,) = [answer.json() for answer in answers if answer.status_code == 200]
        row.refresh_from_db()
        assert (row.labels, row.version) == (done["labels"], 1)
        assert [event.after for event in FeedbackEvent.objects.of(row.pk)] == [{"labels": done["labels"]}]
