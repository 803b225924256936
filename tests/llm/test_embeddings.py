"""Embeddings from providers that speak OpenAI's format."""

from __future__ import annotations

import pytest
from django.test import override_settings

from ai.exceptions import Misconfigured, ModelError
from ai.llm import embeddings
from tests.fakes.vendors import Failure, VendorServer
from tests.fakes.vendors.wire.embeddings import vector_of
from tests.llm.conftest import KEY, spec_of

FAMILIES = ["openai", "openai-compatible", "ollama", "azure"]


class TestEmbed:
    @pytest.mark.parametrize("family", FAMILIES)
    async def test_gives_a_vector_for_each_text(self, vendors: VendorServer, family: str) -> None:
        found = await embeddings.embed(spec_of(vendors, family), ["A refund", "The shop", "Grüße"])

        assert found == [vector_of("A refund"), vector_of("The shop"), vector_of("")]
        [request] = vendors.requests
        assert KEY in (request.headers.get("authorization", "") + request.headers.get("api-key", ""))
        assert request.json["model"] == "some-model"

    async def test_asks_for_many_in_parts(self, vendors: VendorServer) -> None:
        texts = [f"text {number}" for number in range(600)] + ["x" * 300_000, "refund " * 30_000]

        found = await embeddings.embed(spec_of(vendors, "openai"), texts)

        assert len(found) == len(texts)
        assert [len(request.json["input"]) for request in vendors.requests] == [256, 256, 89, 1]

    async def test_of_nothing_asks_nobody(self, vendors: VendorServer) -> None:
        assert await embeddings.embed(spec_of(vendors, "openai"), []) == []
        assert vendors.requests == []

    async def test_fails_in_our_words(self, vendors: VendorServer) -> None:
        vendors.embeddings_fail = Failure("unauthorized")
        try:
            with pytest.raises(ModelError) as caught:
                await embeddings.embed(spec_of(vendors, "openai"), ["x"])
        finally:
            vendors.embeddings_fail = None

        assert caught.value.code == "authentication_failed"
        assert KEY not in caught.value.message

    async def test_of_a_provider_without_them_says_so(self, vendors: VendorServer) -> None:
        with pytest.raises(Misconfigured, match="makes no embeddings here"):
            await embeddings.embed(spec_of(vendors, "anthropic"), ["x"])


class TestOfQuestions:
    async def test_are_none_where_the_model_fails(self, vendors: VendorServer) -> None:
        vendors.embeddings_fail = Failure("server_error")
        try:
            found = await embeddings.of_questions(spec_of(vendors, "openai"), ["x", "y"])
        finally:
            vendors.embeddings_fail = None

        assert found == [None, None]


class TestModel:
    def test_is_none_by_default(self) -> None:
        assert embeddings.model() is None

    @override_settings(AI_EMBEDDING_MODEL="openai:text-embedding-3-small")
    @pytest.mark.django_db
    def test_is_the_one_of_the_setting(self) -> None:
        found = embeddings.model()

        assert found is not None
        assert (found.provider, found.model) == ("openai", "text-embedding-3-small")
