"""From a dump's ids to the keys of rows in one tenant, and which of these are here already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any
from uuid import UUID

from ai import ids
from ai.models import Assistant, ChatThread, ForeignId, Message, Run, RunStep
from ai.services.imports.drafts import ThreadDraft

#: So many keys are looked for at a time: SQLite takes 32,766 values in a query.
CHUNK = 10_000

#: Each key is asked for several times while its thread is written.
ADOPTED = 50_000
UUID_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class Here:
    """A row that is here, and the thread or run it belongs to."""

    key: UUID
    owner: str = ""


@dataclass(slots=True)
class Known:
    """What is here of all that drafts name, by the dump's ids."""

    threads: dict[str, Here] = field(default_factory=dict)
    messages: dict[str, Here] = field(default_factory=dict)
    runs: dict[str, Here] = field(default_factory=dict)
    steps: dict[str, Here] = field(default_factory=dict)


class Keys:
    """The keys of one tenant. Ids of rows made here stand for these rows; every other id is adopted."""

    def __init__(self, tenant_id: UUID) -> None:
        self.tenant_id = tenant_id
        self._assistants: dict[str, UUID] = {}
        self._adopted = lru_cache(ADOPTED)(lambda text: ids.adopted(tenant_id, text))

    def of(self, text: str, here: Here | None = None) -> UUID:
        """The key: that of the row that is here, or the one that the id gives."""
        return here.key if here else self._adopted(text)

    def _candidates(self, text: str) -> list[UUID]:
        """What `ai.ids.keys` gives, for dumps in which few ids are UUIDs."""
        return [self._adopted(text)] if len(text) < UUID_CHARACTERS else ids.keys(self.tenant_id, text)

    def assistant(self, text: str) -> UUID:
        """The key of an assistant, whether there is one or not."""
        if text not in self._assistants:
            self._assistants[text] = self.of(text, self._here(Assistant, [text]).get(text))
        return self._assistants[text]

    def adopted_assistants(self, texts: Iterable[str]) -> list[str]:
        """Those of the ids that stand for no assistant made here."""
        return [text for text in dict.fromkeys(texts) if self.assistant(text) == self._adopted(text)]

    def known(self, drafts: Sequence[ThreadDraft]) -> Known:
        """What is here of the drafts: one query where they are all new, five where they are not."""
        threads = [draft.id for draft in drafts]
        messages = [message for draft in drafts for message in draft.messages]
        steps = [step for draft in drafts for step in draft.steps]
        runs = [run.id for draft in drafts for run in draft.runs] + [step.run_id for step in steps]
        runs += [message.run_id for message in messages if message.run_id]
        message_ids, step_ids = [message.id for message in messages], [step.id for step in steps]
        if not self._may_know([*threads, *message_ids, *step_ids, *runs]):
            return Known()
        return Known(
            threads=self._here(ChatThread, threads),
            messages=self._here(Message, message_ids, owner="thread_id"),
            runs=self._here(Run, runs, owner="thread_id"),
            steps=self._here(RunStep, step_ids, owner="run_id"),
        )

    def _may_know(self, texts: Iterable[str]) -> bool:
        keys = {key for text in texts for key in self._candidates(text)}
        if not all(ids.may_be_adopted(key) for key in keys):
            return True
        return any(ForeignId.objects.filter(pk__in=chunk).exists() for chunk in _chunks(keys))

    def _here(self, model: type[Any], texts: Iterable[str], *, owner: str = "pk") -> dict[str, Here]:
        named = {key: text for text in texts for key in self._candidates(text)}
        rows = (model.objects.filter(pk__in=chunk).values_list("pk", owner) for chunk in _chunks(named))
        return {named[key]: Here(key, str(whose)) for found in rows for key, whose in found}


def _chunks(keys: Iterable[UUID]) -> Iterator[list[UUID]]:
    left = iter(keys)
    while chunk := list(islice(left, CHUNK)):
        yield chunk
