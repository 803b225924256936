"""The search in chunks, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai import ids, tenancy
from ai.exceptions import OutsideTenant
from ai.models import Chunk, Tenant, VectorStore, VectorStoreFile, chunks, ranking, vectors
from ai.models.questions import MOST_WORDS, Sought, sought
from ai.models.stems import stem, stems
from tests import factories

pytestmark = pytest.mark.django_db


def add(tenant: Tenant, *texts: str, store: VectorStore | None = None, vector: Any = None) -> VectorStore:
    """A store with a file for each text."""
    if store is None:
        store = VectorStore(tenant_id=tenant.pk)
        store.save(force_insert=True)
    given = {"tenant_id": tenant.pk, "vector_store_id": store.pk}
    files = [VectorStoreFile(file_id=f"file-{ids.new().hex}", status="completed", **given) for _ in texts]
    VectorStoreFile.objects.bulk_create(files)
    rows = zip(files, texts, strict=True)
    embedding = vectors.pack(vector) if vector else None
    Chunk.objects.write(
        [Chunk(store_file_id=file.pk, index=0, text=text, embedding=embedding, **given) for file, text in rows]
    )
    return store


def found(store: VectorStore, question: str, *, most: int = 20, **values: Any) -> list[str]:
    """The texts that answer, the best first."""
    return [hit.text for hit in Chunk.objects.search([store.pk], question, most=most, **values)]


@pytest.fixture
def small() -> Iterator[None]:
    """Bounds that a few chunks reach."""
    usual = chunks.COMMON, chunks.CANDIDATES
    chunks.COMMON, chunks.CANDIDATES = 25, 10
    yield
    chunks.COMMON, chunks.CANDIDATES = usual


class TestSearch:
    @pytest.mark.parametrize(
        ("text", "question"),
        [
            ("The parcel arrived", "parcel"),
            ("The parcel arrived", "Where did my PARCEL go?"),
            ("All parcels arrived", "the parcel"),
            ("A refunded order", "How do refunds work?"),
            ("Our policies", "policy"),
            ("The customer pays", "the customer's part?"),
            ("The customer\u2019s part", "customer"),
            ("A refund is paid", "return/refund"),
            ("Shipping to Norway", "do you ship abroad"),
            ("A crème brûlée, please", "creme"),
            ("A creme brulee, please", "crème"),
            ("Send me an e-mail", "e-mail address"),
            ("Write to jane.doe@example.com today", "who is jane.doe@example.com?"),
            ("call get_weather_report now", "get_weather_report"),
            ("Order 2024-11-0815 is late", "order 2024-11-0815"),
            ("commit 1e4c9a77 broke it", "1e4c9a77"),
            ("Это ПРИВЕТ миру", "привет"),
            ("Καλημέρα Κόσμε", "κοσμε"),
            ("Straße frei", "straße"),
            ("İstanbul", "istanbul"),
            ("full width \uff21\uff22\uff23\uff11", "abc1"),
            ("हिन्दी में लिखो", "हिन्दी"),
            ("주문을 취소해 주세요", "주문을"),
            ("注文番号を教えてください", "注文の番号は?"),
            ("注文番号を教えてください", "注"),
            ("犬", "犬"),
            ("新しいiPhoneの値段", "iphone"),
            ("สวัสดีครับ", "สวัสดี"),
            ("nul is \ufffd here", "nul\x00 here"),
        ],
    )
    def test_finds(self, tenant: Tenant, text: str, question: str) -> None:
        store = add(tenant, "something else entirely", text)

        assert found(store, question)[0] == text

    @pytest.mark.parametrize(
        ("text", "question"),
        [
            ("The parcel arrived", "letter lost"),
            ("The parcel arrived", "arcel"),
            ("a letter e", "e-mail"),
            ("an article", "art"),
        ],
    )
    def test_leaves_out(self, tenant: Tenant, text: str, question: str) -> None:
        assert found(add(tenant, text), question) == []

    @pytest.mark.parametrize(
        "question", ["", " ", "\x00", '"', "''", '"""', "*", "()", "-", "&|!<->:*", "\\", "📦", "%s"]
    )
    def test_says_nothing_to_signs_alone(self, tenant: Tenant, question: str) -> None:
        assert found(add(tenant, "The parcel arrived"), question) == []

    @pytest.mark.parametrize(
        "question",
        ['x" OR "parcel', "NOT x", "x NEAR y", "words : x", "store : x", "x' | 'y", "x:* & !y", "^x", "{words} : x"],
    )
    def test_knows_no_operators(self, tenant: Tenant, question: str) -> None:
        assert found(add(tenant, "unrelated"), question) == []

    @given(question=st.text(max_size=80))
    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_never_fails(self, tenant: Tenant, question: str) -> None:
        assert Chunk.objects.search([ids.new()], question, most=5) == []

    @pytest.mark.parametrize("question", ["x" * 100_000, "word " * 50_000, "注" * 50_000, '"' * 50_000, "a-" * 50_000])
    def test_bears_a_very_long_question(self, tenant: Tenant, question: str) -> None:
        assert found(add(tenant, "unrelated"), question) == []

    @pytest.mark.parametrize(
        "text", ["x" * 16_000, "注" * 16_000, "é" * 16_000, "\uffff" * 1000, "a\u0301" * 5000, " "]
    )
    def test_keeps_texts_of_every_kind(self, tenant: Tenant, text: str) -> None:
        add(tenant, text)

        assert Chunk.objects.get().text == text

    def test_puts_what_answers_more_of_the_question_first(self, tenant: Tenant) -> None:
        store = add(
            tenant,
            "A long text about other things in which a refund is mentioned once " + "and so on " * 50,
            "Parcels are sent on Mondays.",
            "A refund for a lost parcel takes a week.",
            "Refund, refund, refund.",
        )

        order = found(store, "When do I get the refund for a lost parcel?")

        assert order[0] == "A refund for a lost parcel takes a week."
        assert order.index("Refund, refund, refund.") > 0

    def test_scores_from_0_to_1_and_rare_words_more(self, tenant: Tenant) -> None:
        store = add(tenant, *["common words"] * 20, "common zebra", "zebra zebra zebra")

        hits = Chunk.objects.search([store.pk], "common zebra", most=50)

        assert all(0 < hit.score <= 1 for hit in hits)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert {hits[0].text, hits[1].text} == {"common zebra", "zebra zebra zebra"}

    def test_gives_no_more_than_asked(self, tenant: Tenant) -> None:
        store = add(tenant, *[f"parcel {number}" for number in range(30)])

        assert len(found(store, "parcel", most=3)) == 3
        assert found(store, "parcel", most=0) == []

    def test_answers_questions_of_common_words_alone(self, tenant: Tenant, small: None) -> None:
        store = add(tenant, *["the parcel"] * 30, *["the letter"] * 30, "the parcel and the letter")

        assert found(store, "the parcel and the letter", most=1) == ["the parcel and the letter"]
        assert len(found(store, "parcel", most=10)) == 10
        assert len(found(store, "the", most=10)) == 10

    def test_chooses_by_common_words_among_many_with_a_rare_one(self, tenant: Tenant, small: None) -> None:
        store = add(tenant, *["a zebra"] * 20, *["a parcel"] * 30, "a parcel for a zebra")

        assert found(store, "zebra parcel", most=1) == ["a parcel for a zebra"]


class TestScope:
    def test_looks_in_the_stores_that_are_named(self, tenant: Tenant) -> None:
        one, other = add(tenant, "our parcel"), add(tenant, "their parcel")

        assert found(one, "parcel") == ["our parcel"]
        both = Chunk.objects.search([one.pk, other.pk], "parcel", most=5)
        assert {hit.text for hit in both} == {"our parcel", "their parcel"}
        assert Chunk.objects.search([], "parcel", most=5) == []

    def test_shows_only_tenants_in_scope(self, tenant: Tenant) -> None:
        store = add(tenant, "our parcel")

        with tenancy.scope(factories.tenant().pk):
            assert found(store, "parcel") == []
        with tenancy.everything(reason="test"):
            assert found(store, "parcel") == ["our parcel"]

    def test_refuses_without_scope(self, db: None) -> None:
        with pytest.raises(OutsideTenant):
            Chunk.objects.search([ids.new()], "parcel", most=5)

    def test_does_not_find_by_the_stores_id(self, tenant: Tenant) -> None:
        store = add(tenant, "our parcel")

        assert found(store, store.pk.hex) == found(store, str(store.pk)) == []

    def test_shows_only_files_that_are_wanted(self, tenant: Tenant) -> None:
        store = add(tenant, *[f"parcel {number}" for number in range(20)])
        last = Chunk.objects.get(text="parcel 19").store_file_id

        assert found(store, "parcel", wanted=Only(last)) == ["parcel 19"]
        assert found(store, "parcel", wanted=Only()) == []


class Only:
    """Wants these files."""

    def __init__(self, *keys: UUID) -> None:
        self.keys = set(keys)

    def among(self, keys: Collection[UUID]) -> set[UUID]:
        return self.keys & set(keys)

    def first(self, most: int) -> list[UUID]:
        return list(self.keys)[:most]


class TestVectors:
    def test_find_what_no_word_finds(self, tenant: Tenant) -> None:
        store = add(tenant, "money back", vector=[1, 0])
        add(tenant, "shop hours", store=store, vector=[0, 1])

        assert found(store, "reimbursement", vector=[0.9, 0.1])[0] == "money back"

    def test_are_fused_with_words(self, tenant: Tenant) -> None:
        store = add(tenant, "refund by words", vector=[0, 1])
        add(tenant, "near by meaning", store=store, vector=[1, 0.1])
        add(tenant, "refund near in both", store=store, vector=[1, 0])

        assert found(store, "refund", vector=[1, 0])[0] == "refund near in both"

    def test_of_another_model_are_left_out(self, tenant: Tenant) -> None:
        store = add(tenant, "money back", vector=[1, 0, 0])

        assert found(store, "nothing", vector=[1, 0]) == []

    def test_are_kept_with_length_one(self) -> None:
        kept = vectors.pack([3, 4])

        assert kept is not None
        assert list(vectors.unpack(kept)) == pytest.approx([0.6, 0.8])
        assert vectors.pack([0, 0]) is None
        assert vectors.pack([float("nan"), 1]) is None
        assert vectors.nearest({1: kept}, [0, 0]) == []

    def test_in_common_places_have_the_score_1(self) -> None:
        scores = ranking.fused([1, 2], [1, 3])

        assert scores[1] == 1
        assert scores[2] == scores[3] < 0.5


class TestKeeping:
    def test_follows_what_is_dropped(self, tenant: Tenant) -> None:
        store = add(tenant, "parcel one", "parcel two", "letter")
        first = Chunk.objects.get(text="parcel one")

        Chunk.objects.forget_files([first.store_file_id])

        assert found(store, "parcel") == ["parcel two"]
        assert (Chunk.objects.forget_store(store.pk, most=1), Chunk.objects.forget_store(store.pk)) == (1, 1)
        assert found(store, "letter") == []
        assert Chunk.objects.forget_store(store.pk) == 0

    @pytest.mark.sqlite
    def test_leaves_the_index_sound(self, tenant: Tenant) -> None:
        store = add(tenant, "parcel 番号", "letter")
        Chunk.objects.forget_store(store.pk, most=1)
        Chunk.objects.filter(text="letter").update(words="changed")
        add(tenant, "another", store=store)

        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO ai_chunk_fts(ai_chunk_fts, rank) VALUES ('integrity-check', 1)")


class TestSought:
    def test_cuts_a_question(self) -> None:
        assert sought("Where are Jane.Doe's parcels? 注文番") == [
            Sought(("jan", "doe")),
            Sought(("jan",)),
            Sought(("doe",)),
            Sought(("parcel",)),
            Sought(("注文",)),
            Sought(("文番",)),
        ]

    def test_is_bounded(self) -> None:
        assert len(sought(" ".join(f"w{n}x" for n in range(1000)))) == MOST_WORDS


class TestStems:
    @pytest.mark.parametrize(
        "words",
        [
            "refund refunds refunded refunding",
            "ship ships shipped shipping",
            "policy policies",
            "bill bills billed billing",
            "box boxes",
            "address addresses addressed",
            "cancel cancelled cancelling cancels",
            "size sizes sized",
            "study studies studied studying",
        ],
    )
    def test_are_alike(self, words: str) -> None:
        assert len({stem(word) for word in words.split()}) == 1

    @pytest.mark.parametrize("word", ["bus", "this", "king", "red", "2024", "naïve", "analysis", "", "x", "привет"])
    def test_are_the_words_where_no_rule_fits(self, word: str) -> None:
        assert stem(word) == word

    @given(st.text())
    def test_hold_nothing_that_splits_words(self, text: str) -> None:
        assert all(word and not any(c.isspace() for c in word) for word in stems(text))
