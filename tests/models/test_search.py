"""Searches, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai import ids, tenancy
from ai.exceptions import OutsideTenant
from ai.models import ChatThread, Message, SearchDocument, Tenant
from ai.models.words import MOST_GRAMS, QUERY_WORDS, Term, fold, grams, terms

pytestmark = pytest.mark.django_db


def add(tenant: Tenant, *texts: str) -> list[SearchDocument]:
    """A document a text, in this order."""
    thread = ids.new()
    documents = [
        SearchDocument(tenant_id=tenant.pk, thread_id=thread, message_id=ids.new(), text=text) for text in texts
    ]
    SearchDocument.objects.index(documents)
    return documents


def found(words: str, *, most: int = 20) -> list[str]:
    """The texts that match, the newest first."""
    matches = SearchDocument.objects.matching(words, most=most)
    texts = dict(SearchDocument.objects.values_list("pk", "text"))
    return [texts[match.pk] for match in matches]


class TestMatching:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("The parcel arrived", "parcel"),
            ("The parcel arrived", "PARCEL the"),
            ("The parcel arrived", "arriv parc"),
            ("A crème brûlée, please", "creme brulee"),
            ("A creme brulee, please", "crème BRÛLÉE"),
            ("Send me an e-mail", "e-mail"),
            ("Send me an e-mail", "mail"),
            ("Write to jane.doe@example.com today", "jane.doe@example.com"),
            ("Write to jane.doe@example.com today", "jane.doe@exam"),
            ("Write to jane.doe@example.com today", "example"),
            ("See https://example.com/orders/17?x=1", "https://example.com/orders/17"),
            ("call get_weather_report now", "weather_rep"),
            ("Order 2024-11-0815 is late", "2024-11-0815"),
            ("commit 1e4c9a77 broke it", "1e4c9a77"),
            ("It costs 3,5 €", "3,5"),
            ("“Quoted” — and dashed", "quoted dashed"),
            ("Это ПРИВЕТ миру", "привет"),
            ("Καλημέρα Κόσμε", "κοσμε"),
            ("Straße frei", "straße"),
            ("İstanbul", "istanbul"),
            ("full width \uff21\uff22\uff23\uff11", "abc1"),
            ("ligature ﬁnal", "final"),
            ("हिन्दी में लिखो", "हिन्दी"),
            ("주문을 취소해 주세요", "주문"),
            ("注文番号を教えてください", "注文番号"),
            ("注文番号を教えてください", "番号"),
            ("注文番号を教えてください", "号"),
            ("注文番号を教えてください", "ください"),
            ("犬", "犬"),
            ("新しいiPhoneの値段", "iphone"),
            ("新しいiPhoneの値段", "iPhoneの値段"),
            ("カタカナ ﾊﾝｶｸ", "ハンカク"),
            ("สวัสดีครับ", "สวัสดี"),
            ("parcel 📦 sent", "📦 parcel"),
            ("nul is \ufffd here", "nul\x00 here"),
        ],
    )
    def test_finds(self, tenant: Tenant, text: str, words: str) -> None:
        add(tenant, "something else entirely", text)

        assert found(words) == [text]

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("The parcel arrived", "parcel lost"),
            ("The parcel arrived", "arcel"),
            ("an mail e", "e-mail"),
            ("inside", "in"),
            ("番号の注文", "注文番号"),
            ("example.org jane", "jane@example.org"),
        ],
    )
    def test_leaves_out(self, tenant: Tenant, text: str, words: str) -> None:
        add(tenant, text)

        assert found(words) == []

    @pytest.mark.parametrize(
        "words",
        [
            "",
            "   ",
            "\x00",
            '"',
            "'",
            "''",
            '"""',
            "*",
            "()",
            "-",
            "!!!",
            "&|!<->:*",
            "\\",
            "📦",
            "....",
            "\u0301",
            "%s",
            "@",
        ],
    )
    def test_says_nothing_to_signs_alone(self, tenant: Tenant, words: str) -> None:
        add(tenant, "The parcel arrived %s s")

        assert found(words) == ([] if words != "%s" else ["The parcel arrived %s s"])

    @pytest.mark.parametrize(
        "words",
        [
            'parcel" OR "x',
            "parcel OR nothing",
            "NOT parcel",
            "parcel NEAR arrived",
            "text : parcel",
            "labels : title",
            "parcel' | 'x",
            "parcel:* & !x",
            "{text} : parcel",
            "^parcel",
            "parcel <-> arrived",
            "=title",
        ],
    )
    def test_knows_no_operators(self, tenant: Tenant, words: str) -> None:
        add(tenant, "unrelated")

        assert found(words) == []

    @given(words=st.text(max_size=80))
    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_never_fails(self, tenant: Tenant, words: str) -> None:
        assert found(words) == []

    @pytest.mark.parametrize("words", ["x" * 100_000, "word " * 50_000, "注" * 50_000, '"' * 50_000, "a-" * 50_000])
    def test_bears_a_very_long_query(self, tenant: Tenant, words: str) -> None:
        assert found(words) == []

    def test_gives_the_newest_first_and_no_more_than_asked(self, tenant: Tenant) -> None:
        add(tenant, *[f"parcel {number}" for number in range(30)])

        assert found("parcel", most=3) == ["parcel 29", "parcel 28", "parcel 27"]

    def test_can_look_at_titles_alone(self, tenant: Tenant) -> None:
        thread = ChatThread.objects.get_or_add_thread(ids.new(), tenant.pk, name="Lost parcel")
        Message.objects.create_message({"role": "user", "content": "Where is my parcel?"}, thread.pk)

        titles = SearchDocument.objects.matching("parcel", most=5, titles_only=True)

        assert [(title.thread_id, title.message_id) for title in titles] == [(thread.pk, None)]

    def test_looks_for_longer_words_only_where_the_word_itself_is_rare(
        self, tenant: Tenant, django_assert_num_queries: Any
    ) -> None:
        add(tenant, "parcel 1", "parcel 2", "parcels")

        with django_assert_num_queries(1):
            common = SearchDocument.objects.matching("parcel", most=2)
        with django_assert_num_queries(2):
            rare = SearchDocument.objects.matching("parcel", most=3)

        assert (len(common), len(rare)) == (2, 3)
        assert found("parcel", most=2) == ["parcel 2", "parcel 1"]


class TestScope:
    def test_shows_only_tenants_in_scope(self, tenant: Tenant) -> None:
        other = Tenant.objects.create(name="Southwind")
        add(tenant, "our parcel")
        add(other, "their parcel")

        assert found("parcel") == ["our parcel"]
        with tenancy.scope(other.pk):
            assert found("parcel") == ["their parcel"]
        with tenancy.scope(tenant.pk, other.pk):
            assert found("parcel") == ["their parcel", "our parcel"]
        with tenancy.everything(reason="test"):
            assert found("parcel") == ["their parcel", "our parcel"]
        with tenancy.scope():
            assert found("parcel") == []

    def test_refuses_without_scope(self, db: None) -> None:
        with pytest.raises(OutsideTenant):
            found("parcel")

    def test_does_not_find_by_the_tenants_id(self, tenant: Tenant) -> None:
        add(tenant, "our parcel")

        assert found(tenant.pk.hex) == found(str(tenant.pk)) == found("title") == []

    def test_shows_enough_of_a_small_tenant_among_many_documents(self, tenant: Tenant) -> None:
        other = Tenant.objects.create(name="Southwind")
        add(tenant, "our old parcel")
        add(other, *["their parcel"] * 50)

        assert found("parcel", most=3) == ["our old parcel"]


class TestKeeping:
    def test_follows_a_changed_message(self, tenant: Tenant) -> None:
        [document] = add(tenant, "an old parcel 番号")
        document.text = "a new letter 住所"

        SearchDocument.objects.rewrite(document)

        assert (found("parcel"), found("番号")) == ([], [])
        assert found("letter") == found("住所") == ["a new letter 住所"]

    def test_forgets_a_message_that_says_nothing_any_more(self, tenant: Tenant) -> None:
        [document] = add(tenant, "an old parcel")
        document.text = ""

        SearchDocument.objects.rewrite(document)

        assert not SearchDocument.objects.exists()

    def test_finds_a_message_that_says_something_only_later(self, tenant: Tenant) -> None:
        late = SearchDocument(tenant_id=tenant.pk, thread_id=ids.new(), message_id=ids.new(), text="late parcel")

        SearchDocument.objects.rewrite(late)

        assert found("parcel") == ["late parcel"]

    def test_follows_a_title(self, tenant: Tenant) -> None:
        thread = UUID(int=7)
        for title in ("First", "Second 番号", ""):
            SearchDocument.objects.retitle(thread_id=thread, tenant_id=tenant.pk, title=title)

            assert found("first") == (["First"] if title == "First" else [])
            assert found("番号") == (["Second 番号"] if title.startswith("Second") else [])

    def test_forgets_threads(self, tenant: Tenant) -> None:
        [document] = add(tenant, "parcel 番号")

        SearchDocument.objects.forget_threads([document.thread_id])

        assert found("parcel") == found("番号") == []

    def test_keeps_the_longest_texts_of_every_script(self, tenant: Tenant) -> None:
        han = "".join(chr(0x4E00 + (i * 7919 + i // 20_000) % 20_000) for i in range(300_000))
        words = " ".join(f"w{i}" for i in range(60_000))
        letters = " ".join(chr(0x400 + i % 200) + chr(0x10400 + i // 200 % 300) for i in range(100_000))

        add(tenant, han, words, letters)

        assert len(found(han[:8])) == len(found("w77")) == 1

    @pytest.mark.sqlite
    def test_leaves_the_index_sound(self, tenant: Tenant) -> None:
        [document, _] = add(tenant, "parcel 番号", "letter")
        document.text = "changed"
        SearchDocument.objects.rewrite(document)
        SearchDocument.objects.forget_threads([document.thread_id])
        add(tenant, "another")

        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO ai_search_fts(ai_search_fts, rank) VALUES ('integrity-check', 1)")


class TestTerms:
    def test_cuts_a_query(self) -> None:
        assert terms("Jane.Doe in Crème-Brûlée 注文番 号") == [
            Term(("jane", "doe"), is_prefix=True),
            Term(("in",), is_prefix=False),
            Term(("creme", "brulee"), is_prefix=True),
            Term(("注文", "文番"), is_prefix=False),
            Term(("号",), is_prefix=True),
        ]

    def test_is_bounded(self) -> None:
        assert len(terms(" ".join(f"word{n}" for n in range(1000)))) <= QUERY_WORDS
        assert grams("注" * 1_000_000).count(" ") < MOST_GRAMS

    @given(st.text())
    def test_folding_twice_changes_nothing(self, text: str) -> None:
        assert fold(fold(text)) == fold(text)
