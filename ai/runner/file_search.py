"""The tool by which a model searches the files of its assistant and thread, and the citations in what it then says."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.utils import timezone

from ai import conf, tenancy
from ai.exceptions import InvalidInput
from ai.llm import embeddings
from ai.models import VectorStore, VectorStoreFile
from ai.models.passages import Passage, Question, find

Json = dict[str, Any]

NAME = "file_search"
MOST_QUERIES = 8

#: How many passages a search gives, and at most, in the Assistants API.
USUAL_RESULTS = 20
MOST_RESULTS = 50

#: So long a run waits for files that were just added, as the Assistants API does, and so often it looks.
WAIT_SECONDS = 60.0
LOOK_SECONDS = 0.25

_MARKER = re.compile(r"【(\d{1,4}):(\d{1,4})†[^】\n]{0,300}】")

NOTHING = "Nothing was found in the files. Try other words, or answer without the files and say so."


def definition() -> Json:
    """The function that a model sees instead of `{"type": "file_search"}`."""
    return {
        "type": "function",
        "function": {
            "name": NAME,
            "description": (
                "Search the user's files. Gives passages, each beneath a marker such as 【0:1†report.pdf】. "
                "Write the marker, exactly as it stands, behind whatever you say from a passage."
            ),
            "parameters": {
                "type": "object",
                "properties": {
                    "queries": {
                        "type": "array",
                        "items": {"type": "string"},
                        "minItems": 1,
                        "maxItems": MOST_QUERIES,
                        "description": "What to look for: questions or key words, each on its own.",
                    }
                },
                "required": ["queries"],
            },
        },
    }


@dataclass(frozen=True, slots=True)
class Found:
    """What one search found: `output` for the model, `results` for the run step. `number` is in its markers."""

    number: int
    output: str
    results: list[Json] = field(default_factory=list)


class FileSearch:
    """The searches of one run.

    Args:
        vector_store_ids: the stores to search; one that has expired, or is gone, has nothing.
        options: of the tool: `max_num_results`, `ranking_options` with its `score_threshold`.
        tenant_id: whose stores these must be; without it, those of the tenants in scope.
        wait_seconds: how long to wait for files that are still being read.
    """

    def __init__(
        self,
        vector_store_ids: Iterable[UUID],
        options: Mapping[str, Any] | None = None,
        *,
        tenant_id: UUID | None = None,
        now: Callable[[], datetime] = timezone.now,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        options = options or {}
        ranking = options.get("ranking_options") or {}
        self._store_ids = list(dict.fromkeys(vector_store_ids))
        self._tenant_id = tenant_id
        self._most = min(max(int(options.get("max_num_results") or USUAL_RESULTS), 1), MOST_RESULTS)
        self._threshold = float(ranking.get("score_threshold") or 0.0)
        self._now = now
        self._wait_seconds = wait_seconds
        self._waiting = asyncio.Lock()
        self._searches = 0

    async def search(self, arguments: str) -> Found:
        """Search as the model asked.

        Args:
            arguments: the call's JSON text.

        Raises:
            InvalidInput: it asks for nothing; the model can mend that.
        """
        number, self._searches = self._searches, self._searches + 1
        asked = queries(arguments)
        await self._ready()
        passages = await sync_to_async(self._find, thread_sensitive=True)(await _questions(asked))
        return _found(number, passages)

    async def _ready(self) -> None:
        """Wait for files that are still being read; the run's first searches bear it, the others do not wait again."""
        async with self._waiting:
            until = time.monotonic() + self._wait_seconds
            while time.monotonic() < until and await sync_to_async(self._is_reading, thread_sensitive=True)():
                await asyncio.sleep(LOOK_SECONDS)
            self._wait_seconds = 0.0

    def _is_reading(self) -> bool:
        lately = self._now() - timedelta(seconds=WAIT_SECONDS)
        with self._scope():
            return bool(VectorStoreFile.objects.reading(self._store_ids).filter(created__gt=lately).exists())

    def _find(self, questions: Sequence[Question]) -> list[Passage]:
        with self._scope():
            at = self._now()
            stores = list(VectorStore.objects.alive(at).filter(pk__in=self._store_ids).order_by("pk"))
            VectorStore.objects.touch(stores, at=at)
            return find([store.pk for store in stores], questions, most=self._most, threshold=self._threshold)

    def _scope(self) -> AbstractContextManager[Any]:
        return tenancy.scope(self._tenant_id) if self._tenant_id else nullcontext()


async def _questions(asked: Sequence[str]) -> list[Question]:
    """The queries with their embeddings, where there is a model for them."""
    model = await sync_to_async(embeddings.model, thread_sensitive=True)() if conf.current().embedding_model else None
    if model is None:
        return [Question(query) for query in asked]
    vectors = await embeddings.of_questions(model, asked)
    return [Question(query, vector) for query, vector in zip(asked, vectors, strict=True)]


def queries(arguments: str) -> list[str]:
    """The queries in a call's JSON text; a single `query` is taken too, for models that write one.

    Raises:
        InvalidInput: there is none.
    """
    try:
        given = json.loads(arguments or "{}")
    except ValueError:
        raise InvalidInput('The arguments are no JSON. Write {"queries": ["…"]}.') from None
    given = given if isinstance(given, dict) else {}
    asked = given.get("queries") or given.get("query") or []
    asked = [asked] if isinstance(asked, str) else asked if isinstance(asked, list) else []
    found = [query for query in asked if isinstance(query, str) and query.strip()]
    if not found:
        raise InvalidInput('Say what to look for: {"queries": ["…"]}.')
    return found[:MOST_QUERIES]


def _found(number: int, passages: Sequence[Passage]) -> Found:
    pieces = [f"{_marker(number, place, each.file_name)}\n{each.text}" for place, each in enumerate(passages)]
    return Found(number, "\n\n".join(pieces) or NOTHING, [_result(each) for each in passages])


def _marker(number: int, place: int, name: str) -> str:
    return f"【{number}:{place}†{name.translate({ord('】'): ')', ord('【'): '('})}】"


def _result(passage: Passage) -> Json:
    result: Json = {
        "file_id": passage.file_id,
        "file_name": passage.file_name,
        "score": round(passage.score, 6),
        "content": [{"type": "text", "text": passage.text}],
    }
    return {**result, "attributes": dict(passage.attributes)} if passage.attributes else result


def cite(text: str, founds: Iterable[Found]) -> list[Json]:
    """A file citation for every marker in `text` that stands for something found; indices count characters."""
    by_number = {found.number: found.results for found in founds}
    annotations = []
    for marker in _MARKER.finditer(text):
        results = by_number.get(int(marker[1]), [])
        if int(marker[2]) < len(results):
            annotations.append(
                {
                    "type": "file_citation",
                    "text": marker[0],
                    "start_index": marker.start(),
                    "end_index": marker.end(),
                    "file_citation": {"file_id": results[int(marker[2])]["file_id"]},
                }
            )
    return annotations
