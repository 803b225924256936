"""Chunks: the pieces of files in vector stores, and the search in them.

The full-text index is made by migration `0004_file_search`: an FTS5 table kept by triggers on SQLite, a generated `tsvector`
column with a GIN index on PostgreSQL. Both know the chunk's vector store, so that a search reads the entries of the store it asks
for and no others, however many there are.

A question's words need not all be found. The index gives, for each word, the chunks that hold it, up to a bound; whatever
is in more of them ("the", "how") says little and is passed over while there are rarer words. The chunks with the rarest
words are then read and ranked by `ai.models.ranking`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol
from uuid import UUID

from django.db import connections, models, router

from ai.models import ranking, vectors
from ai.models.base import TenantManager
from ai.models.questions import Sought, sought
from ai.models.ranking import Weight
from ai.models.stems import stems

#: A word that more of a search's chunks hold is a common one.
COMMON = 1000

#: Chunks are counted up to here: what a word says hardly changes beyond.
COUNTED = 10_000

#: So many chunks are read and ranked: by their words, and where there is an embedding, also by their vectors.
CANDIDATES = 200
COMPARED = 400

#: Where a search is for some of the files only, so many of the best are looked at; are fewer than that left of them, the
#: chunks of the wanted files are looked at too, whatever they say.
MOST_FILTERED = 1000
ENOUGH_FILTERED = 50


class Wanted(Protocol):
    """Says which files of stores a search may show."""

    def among(self, keys: Collection[UUID]) -> Collection[UUID]:
        """Which of these, by their keys as store files."""
        ...

    def first(self, most: int) -> Collection[UUID]:
        """So many of all."""
        ...


class Hit(NamedTuple):
    """A chunk that answers a question, and how well: `score` is from 0 to 1."""

    chunk_id: int
    store_file_id: UUID
    text: str
    score: float


class ChunkManager(TenantManager):
    """The only writer of `ai_chunk`."""

    def write(self, chunks: Iterable[Chunk]) -> None:
        """Add chunks of a file."""
        self.bulk_create([chunk.prepared() for chunk in chunks], batch_size=500)

    def texts(self, store_file_id: UUID) -> Iterator[str]:
        """The texts of a file's chunks, in their order."""
        rows = self.filter(store_file_id=store_file_id).order_by("index").values_list("text", flat=True)
        return iter(rows.iterator(chunk_size=200))

    def forget_files(self, store_file_ids: Iterable[UUID]) -> None:
        """Drop the chunks of these store files."""
        self.model._base_manager.filter(store_file_id__in=list(store_file_ids)).delete()

    def forget_store(self, store_id: UUID, *, most: int = 500) -> int:
        """Drop up to `most` chunks of a store; how many there were. To be called until it says 0."""
        rows = self.model._base_manager.filter(vector_store_id=store_id)
        keys = list(rows.order_by("pk").values_list("pk", flat=True)[:most])
        self.model._base_manager.filter(pk__in=keys).delete()
        return len(keys)

    def search(
        self,
        store_ids: Sequence[UUID],
        question: str,
        *,
        most: int,
        wanted: Wanted | None = None,
        vector: Sequence[float] | None = None,
    ) -> list[Hit]:
        """The chunks in these stores that answer a question best, the best first.

        Args:
            wanted: lets a search show some of the files only.
            vector: the question's embedding. The order is then a fusion of the words' and the vectors', over the candidates
                that the words give; a store with fewer chunks than `COMPARED` is compared whole.

        A question without a letter or digit finds nothing, unless it has a vector.
        """
        if not store_ids or most < 1:
            return []
        enough = CANDIDATES if vector is None else COMPARED
        candidates, weights = self._candidates(store_ids, sought(question), wanted, enough)
        if vector is not None and len(candidates) < enough:
            candidates += self._others(store_ids, candidates, wanted, enough)
        chunks = self.filter(pk__in=candidates, vector_store_id__in=store_ids)
        found = ranking.scores(dict(chunks.order_by().values_list("pk", "words")), weights)
        if vector is not None:
            kept = chunks.filter(embedding__isnull=False).order_by().values_list("pk", "embedding")
            found = ranking.fused(_best(found), vectors.nearest(dict(kept), vector))
        best = _best(found)[:most]
        rows = self.filter(pk__in=best).order_by().values_list("pk", "store_file_id", "text")
        shown = {key: Hit(key, file, text, found[key]) for key, file, text in rows}
        return [shown[key] for key in best if key in shown]

    def _candidates(
        self, store_ids: Sequence[UUID], words: list[Sought], wanted: Wanted | None, enough: int
    ) -> tuple[list[int], list[Weight]]:
        """The chunks worth reading, the most promising first, and what each word says."""
        if not words:
            return [], []
        # Of these stores only, so of these tenants only; with the tenant in the query it would be no matter of the index.
        among = self.model._base_manager.filter(vector_store_id__in=store_ids).order_by()[:COUNTED].count()
        index = _Index(connections[router.db_for_read(self.model)], store_ids)
        lists = zip(words, index.holding([[word] for word in words], most=COMMON + 1), strict=True)
        weights = [_weight(word, keys, among) for word, keys in lists if keys]
        said: dict[int, float] = {}
        for weight in weights:
            for key in weight.holders or ():
                said[key] = said.get(key, 0.0) + weight.rarity
        index.add_common(said, weights, enough=enough)
        return self._allowed(_best(said), store_ids, wanted, enough), weights

    def _allowed(self, keys: list[int], store_ids: Sequence[UUID], wanted: Wanted | None, enough: int) -> list[int]:
        """The first of the candidates that are of wanted files."""
        if wanted is None:
            return keys[:enough]
        looked_at = self.filter(pk__in=keys[:MOST_FILTERED]).order_by()
        files = dict(looked_at.values_list("pk", "store_file_id"))
        allowed = set(wanted.among(set(files.values()))) if files else set()
        kept = [key for key in keys[:MOST_FILTERED] if files.get(key) in allowed][:enough]
        return kept if len(kept) >= ENOUGH_FILTERED else kept + self._others(store_ids, kept, wanted, enough)

    def _others(self, store_ids: Sequence[UUID], known: list[int], wanted: Wanted | None, enough: int) -> list[int]:
        """Chunks that the words did not give, as many as are wanting to `enough`."""
        if wanted is None:
            rows = self.filter(vector_store_id__in=store_ids)
        else:
            # Without the stores in the query: SQLite would walk through all that they hold.
            rows = self.filter(store_file_id__in=list(wanted.first(enough)))
        keys = rows.order_by("pk").values_list("pk", flat=True)[: enough + len(known)]
        there = set(known)
        return [key for key in keys if key not in there][: enough - len(known)]


def _best(found: dict[int, float]) -> list[int]:
    """The keys with the highest values first; of equal ones, what was found first."""
    return sorted(found, key=found.__getitem__, reverse=True)


def _weight(word: Sought, keys: list[int], among: int) -> Weight:
    """What a word says; of a common one it is not known how many chunks hold it: half of them, as a guess."""
    if len(keys) > COMMON:
        return Weight(word, ranking.rarity(max(COMMON, among // 2), among), None)
    return Weight(word, ranking.rarity(len(keys), among), frozenset(keys))


#: On PostgreSQL, so much of a store's id is in front of its words. Stores that share it would see each other's candidates,
#: and still show none of them.
STORE_DIGITS = 12


class _Index:
    """The full-text index, seen from some stores."""

    def __init__(self, connection: Any, store_ids: Sequence[UUID]) -> None:
        self._connection = connection
        self._stores = sorted(store_id.hex for store_id in store_ids)

    def holding(
        self, asked: Sequence[Sequence[Sought]], *, most: int, any_of: Sequence[Sought] = ()
    ) -> list[list[int]]:
        """For each list of words, up to `most` chunks that hold all of them, and one of `any_of` if there are any."""
        if self._connection.vendor == "postgresql":
            return self._postgresql([self._tsquery(words, any_of) for words in asked], most)
        found = []
        with self._connection.cursor() as cursor:
            for words in asked:
                sql = "SELECT rowid FROM ai_chunk_fts WHERE ai_chunk_fts MATCH %s LIMIT %s"
                cursor.execute(sql, [self._match(words, any_of), most])
                found.append([key for (key,) in cursor.fetchall()])
        return found

    def add_common(self, said: dict[int, float], weights: Sequence[Weight], *, enough: int) -> None:
        """Let common words count too: where rarer ones gave too many candidates, to choose, else to find more."""
        common = [weight for weight in weights if weight.holders is None]
        rare = [weight.word for weight in weights if weight.holders is not None]
        if len(said) > enough:
            lists = self.holding([[weight.word] for weight in common], most=COMMON, any_of=rare)
            for weight, keys in zip(common, lists, strict=True):
                for key in keys:
                    said[key] = said.get(key, 0.0) + weight.rarity
        elif common:
            for keys in self._together([weight.word for weight in common], enough=enough - len(said)):
                for key in keys:
                    said.setdefault(key, 0.0)

    def _together(self, words: list[Sought], *, enough: int) -> Iterable[list[int]]:
        """Chunks that hold all of these common words; then, until there are enough, all but one; then any."""
        seen = 0
        rounds = [[words]]
        if len(words) > 1:
            rounds.append([[word for word in words if word is not left] for left in words])
            rounds.append([[word] for word in words])
        for asked in rounds:
            for keys in self.holding(asked, most=enough):
                seen += len(keys)
                yield keys
            if seen >= enough:
                return

    def _match(self, words: Sequence[Sought], any_of: Sequence[Sought]) -> str:
        """The query in FTS5's language. Nothing but letters, digits and marks is inside the quotes."""
        stores = " OR ".join(f'"{store}"' for store in self._stores)
        wanted = [_phrase(word) for word in words]
        if any_of:
            wanted.append(f"({' OR '.join(map(_phrase, any_of))})")
        return f"store : ({stores}) AND words : ({' AND '.join(wanted)})"

    def _postgresql(self, queries: list[str], most: int) -> list[list[int]]:
        # The planner knows nothing of the words here and takes the index. Told a common one, it would read the table.
        sql = (
            "SELECT array(SELECT id FROM ai_chunk WHERE vector @@ asked.words::tsquery LIMIT %s) "
            "FROM unnest(%s::text[]) WITH ORDINALITY AS asked(words, place) ORDER BY place"
        )
        with self._connection.cursor() as cursor:
            cursor.execute(sql, [most, queries])
            return [keys for (keys,) in cursor.fetchall()]

    def _tsquery(self, words: Sequence[Sought], any_of: Sequence[Sought]) -> str:
        """The query in PostgreSQL's language. There are no places in its index: a phrase's words are somewhere in a chunk."""
        return " | ".join(f"({_tsquery_of(store[-STORE_DIGITS:], words, any_of)})" for store in self._stores)


def _phrase(word: Sought) -> str:
    return f'"{" ".join(word.words)}"{" *" if word.is_beginning else ""}'


def _tsquery_of(store: str, words: Sequence[Sought], any_of: Sequence[Sought]) -> str:
    wanted = [_lexemes(store, word) for word in words]
    if any_of:
        wanted.append(f"({' | '.join(_lexemes(store, word) for word in any_of)})")
    return " & ".join(wanted)


def _lexemes(store: str, word: Sought) -> str:
    beginning = ":*" if word.is_beginning else ""
    return "(" + " & ".join(f"'{store}{part}'{beginning}" for part in word.words) + ")"


class Chunk(models.Model):
    """A piece of a file's text."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.UUIDField()
    vector_store_id = models.UUIDField()
    store_file_id = models.UUIDField()
    index = models.PositiveIntegerField()
    text = models.TextField()
    words = models.TextField(default="", editable=False, help_text="What the text is found by.")
    embedding = models.BinaryField(null=True, help_text="32-bit floats, little-endian, of length 1.")

    objects: ClassVar[ChunkManager] = ChunkManager()

    class Meta:
        db_table = "ai_chunk"
        default_permissions = ()
        ordering = ("store_file_id", "index")
        constraints = (models.UniqueConstraint(fields=["store_file_id", "index"], name="ai_chunk_once"),)
        indexes = (models.Index(fields=["vector_store_id", "id"], name="ai_chunk_store"),)

    def __str__(self) -> str:
        return self.text[:80]

    def prepared(self) -> Chunk:
        """Itself, with its `words` worked out."""
        self.words = " ".join(stems(self.text))
        return self
