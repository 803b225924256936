"""Times of searches in a vector store of 10,000 files with 30,000 chunks, beside another of half its size."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from itertools import accumulate

import django

django.setup()

from django.db import connection
from django.utils import timezone

from ai import tenancy
from ai.models import Chunk, Tenant, VectorStore, VectorStoreFile
from ai.models.vector_stores import StoreFileStatus
from ai.services import vector_stores
from ai.services.actors import SYSTEM
from tests.benchmarks.inside import tell

FILES = 10_000
CHUNKS_OF_A_FILE = 3
WORDS_OF_A_CHUNK = 450
TIMES = 200

LETTERS = "abcdefghijklmnopqrstuvwxyz"
FREQUENT = ["the", "of", "and", "to", "how", "is", "what", "in", "for", "does", "my", "it"]


class Language:
    """30,000 words, as unevenly used as those of a natural language (Zipf's law)."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        made = ("".join(self.random.choices(LETTERS, k=self.random.randint(3, 9))) for _ in range(30_000))
        self.words = [*FREQUENT, *made]
        self._uses = list(accumulate(1 / place for place in range(1, len(self.words) + 1)))

    def text(self, words: int) -> str:
        """So many words."""
        return " ".join(self.random.choices(self.words, cum_weights=self._uses, k=words))

    def question(self) -> str:
        """A question about five things that some files speak of."""
        return f"How is the {' '.join(self.random.sample(self.words[20:3000], k=5))}?"


def fill(tenant: Tenant, language: Language, files: int) -> VectorStore:
    """A store of so many files, as workers leave it behind when they have read them."""
    store = VectorStore.objects.make(VectorStore(tenant_id=tenant.pk), at=timezone.now())
    given = {"tenant_id": tenant.pk, "vector_store_id": store.pk}
    for start in range(0, files, 200):
        rows = [
            VectorStoreFile(
                file_id=f"file-{number}",
                status=StoreFileStatus.COMPLETED,
                attributes={"number": number, "half": number % 2},
                **given,
            )
            for number in range(start, start + 200)
        ]
        VectorStoreFile.objects.add(rows)
        Chunk.objects.write(
            Chunk(store_file_id=row.pk, index=index, text=language.text(WORDS_OF_A_CHUNK), **given)
            for row in rows
            for index in range(CHUNKS_OF_A_FILE)
        )
    return store


def times_ms(call: Callable[[], object]) -> tuple[float, float]:
    """The median and the 95th percentile, after a first call that counts for nothing."""
    call()
    taken = []
    for _ in range(TIMES):
        begin = time.perf_counter()
        call()
        taken.append((time.perf_counter() - begin) * 1000)
    taken.sort()
    return taken[len(taken) // 2], taken[int(len(taken) * 0.95)]


def main() -> None:
    """Build the stores and time each kind of question."""
    language = Language(1)
    tenant, other = Tenant.objects.create(name="Northwind"), Tenant.objects.create(name="Southwind")
    with tenancy.scope(tenant.pk):
        store = fill(tenant, language, FILES)
    with tenancy.scope(other.pk):
        fill(other, language, FILES // 2)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE ai_chunk")

    def search(query: str, **values: object) -> None:
        vector_stores.search(store_id=store.pk, query=query, by=SYSTEM, at=timezone.now(), **values)  # type: ignore[arg-type]

    half = {"type": "eq", "key": "half", "value": 1}
    few = {"type": "lt", "key": "number", "value": 20}
    kinds: dict[str, Callable[[], object]] = {
        "a question": lambda: search(language.question()),
        "a whole sentence": lambda: search(language.text(15)),
        "frequent words alone": lambda: search("how does the of and to it"),
        "a rare word": lambda: search(language.random.choice(language.words[5000:])),
        "half of the files": lambda: search(language.question(), filters=half),
        "twenty of the files": lambda: search(language.question(), filters=few),
    }
    with tenancy.scope(tenant.pk):
        tell({name: times_ms(call) for name, call in kinds.items()})


if __name__ == "__main__":
    main()
