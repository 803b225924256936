"""How many tags a thread can carry."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from ai import ids
from ai.exceptions import InvalidInput
from ai.models import ChatThread, Tenant
from ai.stores import tags
from ai.stores.memory import MemoryThreadStore
from tests import factories

#: What cannot be made smaller.
MANY = [sha256(str(number).encode()).hexdigest()[:32] for number in range(300)]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["billing"] * 51, 50),
        (["x" * 101, "x" * 100], 1),
        (["é" * 100] * 50, 7),
        (MANY, 44),
        ([1, None], 2),
    ],
    ids=["many", "long", "wide", "big", "no texts"],
)
def test_those_that_fit_are_kept(given: list[Any], kept: int) -> None:
    assert len(tags.fitting(given)) == kept


@pytest.mark.django_db
class TestStores:
    @pytest.mark.parametrize("kind", ["database", "memory"])
    def test_refuse_more(self, tenant: Tenant, kind: str) -> None:
        store: Any = ChatThread.objects if kind == "database" else MemoryThreadStore()
        thread = store.get_or_add_thread(ids.new(), tenant.pk, ["billing"])

        with pytest.raises(InvalidInput, match="at most 50 tags"):
            store.update_thread({"tags": MANY}, thread)
        with pytest.raises(InvalidInput, match="at most 50 tags"):
            store.get_or_add_thread(ids.new(), tenant.pk, MANY)

        assert store.get_thread(thread.id).tags == ["billing"]

    def test_take_the_most_that_a_thread_can_carry(self, tenant: Tenant) -> None:
        longest = tags.fitting(MANY)
        thread = factories.thread(tenant, user_id="".join(chr(0x1F600 + n % 50) for n in range(255)))

        ChatThread.objects.update_thread({"tags": longest}, thread)

        assert ChatThread.objects.get(pk=thread.pk).tags == longest

    def test_keep_the_first_when_a_model_finds_another(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant, tags=["billing"] * 50)

        ChatThread.objects.retitle(thread.pk, name="Title", tags=["billing"] * 50 + ["more"], at=thread.modified)

        assert ChatThread.objects.get(pk=thread.pk).tags == ["billing"] * 50
