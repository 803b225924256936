"""Titles: by rule, by a model, and of new threads in the background."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai import ids
from ai.exceptions import InvalidInput
from ai.models import ChatThread, LanguageModel, SearchDocument, Tenant, ThreadTag
from ai.services import titles
from ai.tasks.titles import trim_and_tag_thread_title_task
from tests import factories
from tests.fakes.vendors import VendorServer
from tests.services.retitling import end_task

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class TestByRule:
    @pytest.mark.parametrize(
        ("text", "title"),
        [
            ("Hi! Can you please explain how tides work? I am curious.", "Explain how tides work?"),
            ("Hello team,\n\nour printer is on fire", "Our printer is on fire"),
            ("**Refund** for order `4711`", "Refund for order 4711"),
            ('"Quoted question"', "Quoted question"),
            ("# Heading\n\ntext", "Heading"),
            ("```python\nprint(1)\n```\nWhy does this print 1?", "Why does this print 1?"),
            ("[the docs](https://example.com) are wrong", "The docs are wrong"),
            ("what does my_function do", "What does my_function do"),
            ("", "New Chat"),
            ("   \n\t ", "New Chat"),
            ("hi", "Hi"),
            ("¿Dónde está la estación?", "¿Dónde está la estación?"),
            ("予約を変更したいです。お願いします。", "予約を変更したい"),
        ],
    )
    def test_takes_the_first_sentence_that_says_something(self, text: str, title: str) -> None:
        assert titles.by_rule(text) == title

    def test_takes_five_words_of_a_long_one(self) -> None:
        title = titles.by_rule("word " * 100)

        assert title == "Word word word word word"

    @given(st.text(max_size=400))
    def test_is_never_empty_nor_long_nor_of_several_lines(self, text: str) -> None:
        title = titles.by_rule(text)

        assert 0 < len(title) <= 60
        assert len(title.split()) <= 5
        assert title == " ".join(title.split())
        assert not title.startswith(('"', "“", "`", "*", "#"))


class TestByRuleOfTools:
    @pytest.mark.parametrize(
        ("asked", "calls", "title"),
        [
            ("Any films on in Santa Rosa?", [("FindMovies", {"location": "Santa Rosa"})], "Find movies in Santa Rosa"),
            (
                "A table at Bay Leaf in San Jose, please.",
                [("FindRestaurants", {"city": "San Jose"}), ("ReserveRestaurant", {"restaurant_name": "Bay Leaf"})],
                "Reserve restaurant: Bay Leaf",
            ),
            (
                "A hotel and a car in Delhi",
                [("search_hotels", {"city": "Delhi, India"}), ("book_car", {"type": "small", "seats": 5})],
                "Hotels and car in Delhi",
            ),
            ("Where is order 4711?", [("lookup_order", {"order_id": 4711})], "Lookup order: 4711"),
            ("Set an alarm called New alarm.", [("add_alarm", {"name": "New alarm"})], "Add alarm"),
            ("I want to rent a home in Davis", [("find_home_by_area", {"area": "Davis"})], "Find home in Davis"),
            # Machinery: nobody's words are about it, or it says less than the user did.
            ("Why does my script print 1?", [("run_python", {"code": "print(1)"})], "Script print 1"),
            ("Our invoice is wrong, again", [("get_invoices", {"page": 1})], "Our invoice is wrong, again"),
            # The names of tools are English, the thread is not.
            ("Quel temps fait-il à Lyon ?", [("get_weather", {"city": "Lyon"})], "Quel temps fait-il à Lyon?"),
            ("What is new?", [("", {}), ("FindMovies", None), ("x" * 5000, "{" * 5000)], "What is new?"),
        ],
    )
    def test_names_what_was_done_and_where(self, asked: str, calls: list[tuple[str, Any]], title: str) -> None:
        made = [
            {"id": "c", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for name, arguments in calls
        ]
        messages: list[Any] = [
            {"role": "user", "content": asked},
            {"role": "assistant", "content": None, "tool_calls": made},
        ]

        assert titles.Conversation.of_messages(messages).by_rule() == title


@pytest.mark.django_db
class TestByModel:
    def test_falls_back_to_the_rule_where_the_model_cannot_be_reached(self, tenant: Tenant) -> None:
        row = factories.language_model(alias="away")  # nobody listens on its port

        found = titles.find([_talk("How do tides work? Tell me.")], spec=titles.model_spec(row.alias))[0]

        assert (found.title, found.source, found.cost) == ("How do tides work?", "rule", None)
        assert found.note

    def test_is_no_agent(self, settings: Any) -> None:
        settings.AI_AGENTS = {"clerk": "tests.marvin.agents.clerk"}

        with pytest.raises(InvalidInput, match="agent cannot write titles"):
            titles.model_spec("clerk")


@pytest.mark.django_db
class TestTitleModel:
    def test_writes_the_title_of_a_new_thread(self, scripted: VendorServer, tenant: Tenant, settings: Any) -> None:
        settings.AI_TITLE_MODEL = "scripted"
        scripted.script(end_task("**Cancelling a subscription**"))
        thread = ChatThread.objects.get_or_add_thread(ids.new(), tenant.pk, name="How do I cancel?")

        trim_and_tag_thread_title_task("How do I cancel?", str(thread.pk), str(tenant.pk))

        thread.refresh_from_db()
        assert (thread.name, thread.tags) == ("Cancelling a subscription", ["chat"])

    def test_that_is_disabled_leaves_it_to_the_rule(
        self, scripted: VendorServer, tenant: Tenant, settings: Any
    ) -> None:
        settings.AI_TITLE_MODEL = "scripted"
        LanguageModel.objects.update(is_enabled=False)
        thread = ChatThread.objects.get_or_add_thread(ids.new(), tenant.pk, name="How do I cancel?")

        trim_and_tag_thread_title_task("How do I cancel?", str(thread.pk), str(tenant.pk))

        thread.refresh_from_db()
        assert thread.name == "How do I cancel?"
        assert not scripted.requests

    def test_may_choose_tags_of_the_list_and_no_others(
        self, scripted: VendorServer, tenant: Tenant, settings: Any
    ) -> None:
        settings.AI_TAGS = "billing, delivery"
        scripted.script(end_task("Lost parcel"), end_task([1, 0]))

        found = titles.find(
            [_talk("Where is my parcel?")], spec=titles.model_spec("scripted"), choices=("billing", "delivery")
        )[0]

        assert (found.title, found.source, found.tags) == ("Lost parcel", "scripted", ["delivery", "billing"])
        assert found.input_tokens == 22
        assert found.output_tokens == 14

    def test_may_find_that_no_tag_fits_without_being_asked_again(self, scripted: VendorServer, tenant: Tenant) -> None:
        scripted.script(end_task("Lost parcel"), end_task([2]))

        found = titles.find(
            [_talk("Where is my parcel?")], spec=titles.model_spec("scripted"), choices=("billing", "delivery")
        )[0]

        assert (found.title, found.tags, len(scripted.requests)) == ("Lost parcel", [], 2)


def _talk(*asked: str) -> titles.Conversation:
    return titles.Conversation(tuple(("user", text) for text in asked))


@pytest.mark.django_db
class TestTrimAndTag:
    def test_titles_and_tags_a_new_thread_once(self, tenant: Tenant) -> None:
        thread = ChatThread.objects.get_or_add_thread(ids.new(), tenant.pk, name="Hello! Where is ```x``` my parcel?")

        for _ in range(2):
            trim_and_tag_thread_title_task(
                "Hello! Where is ```x``` my parcel?", str(thread.pk), str(tenant.pk), later="?"
            )

        thread.refresh_from_db()
        assert thread.name == "Where is my parcel?"
        assert thread.data
        assert thread.data["tagged"] is True
        assert thread.data["snippet"].startswith("Hello!")
        assert thread.tags == ["chat", "code"]
        assert set(ThreadTag._base_manager.values_list("tag", flat=True)) == {"chat", "code"}
        assert [d.text for d in SearchDocument.objects.filter(message_id__isnull=True)] == ["Where is my parcel?"]

    def test_leaves_a_title_that_somebody_gave(self, tenant: Tenant) -> None:
        thread = ChatThread.objects.get_or_add_thread(ids.new(), tenant.pk, name="Where is it?")
        ChatThread.objects.rename(thread.pk, name="Lost parcel", at=NOW)

        titles.trim_and_tag(name="Where is it?", thread_id=thread.pk, tenant_id=tenant.pk, at=NOW)

        thread.refresh_from_db()
        assert thread.data
        assert (thread.name, thread.data["tagged"]) == ("Lost parcel", True)

    def test_leaves_a_title_that_is_locked(self, tenant: Tenant) -> None:
        thread = ChatThread.objects.get_or_add_thread(ids.new(), tenant.pk, name="Where is it? Tell me, please.")
        ChatThread.objects.lock_title(thread.pk, locked=True, at=NOW)

        titles.trim_and_tag(name="Where is it? Tell me, please.", thread_id=thread.pk, tenant_id=tenant.pk, at=NOW)

        thread.refresh_from_db()
        assert thread.data
        assert (thread.name, thread.data["tagged"]) == ("Where is it? Tell me, please.", True)

    def test_is_silent_about_a_thread_that_is_gone(self, tenant: Tenant) -> None:
        assert titles.trim_and_tag(name="x", thread_id=ids.new(), tenant_id=tenant.pk, at=NOW) is None
