"""From a dump's ids to the keys of rows in one tenant, and which of these are here already."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any
from uuid import UUID

from ai import ids
from ai.models import Assistant, ChatThread, ForeignId, Message, Run, RunStep
from ai.services.imports.drafts import ThreadDraft
from ai.services.imports.identities import MessageNames

#: So many keys are looked for at a time: SQLite takes 32,766 values in a query.
CHUNK = 10_000

#: Each key is asked for several times while its thread is written.
ADOPTED = 10_000
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

    def of(self, text: str, here: Here | None = None, *, own: UUID | None = None) -> UUID:
        """The key: that of the row that is here, the one that it is to keep, or the one that the id gives."""
        return here.key if here else own or self._adopted(text)

    def candidates(self, text: str) -> list[UUID]:
        """The keys that an id can stand for: what `ai.ids.keys` gives, for dumps in which few ids are UUIDs.

        What stands behind a slash is called so within its thread alone; it may be a row made here.
        """
        name = text.rpartition("/")[2]
        if len(name) < UUID_CHARACTERS:
            return [self._adopted(text)]
        return [self._adopted(text), *ids.keys(self.tenant_id, name)[:-1]]

    def assistant(self, text: str) -> UUID:
        """The key of an assistant, whether there is one or not."""
        if text not in self._assistants:
            self._assistants[text] = self.of(text, self._here(Assistant, [text]).get(text))
        return self._assistants[text]

    def adopted_assistants(self, texts: Iterable[str]) -> list[str]:
        """Those of the ids that stand for no assistant made here."""
        return [text for text in dict.fromkeys(texts) if self.assistant(text) == self._adopted(text)]

    def threads(self, texts: Iterable[str]) -> dict[str, UUID]:
        """The keys of those of the threads that are here."""
        return {text: here.key for text, here in self._here(ChatThread, texts).items()}

    def known(self, drafts: Sequence[ThreadDraft]) -> Known:
        """What is here of the drafts: one query where they are all new, six at most where they are not."""
        threads = [draft.id for draft in drafts] + [draft.forked_from for draft in drafts if draft.forked_from]
        messages = [message for draft in drafts for message in draft.messages]
        kept = {message.key for message in messages if message.key}
        own_names = [m.id for m in messages if not m.key and ("/" not in m.id or m.belongs_to_step)]
        steps = [step for draft in drafts for step in draft.steps]
        runs = [run.id for draft in drafts for run in draft.runs] + [step.run_id for step in steps]
        runs += [message.run_id for message in messages if message.run_id]
        step_ids = [step.id for step in steps]
        if not (kept or self._may_know([*threads, *own_names, *step_ids, *runs])):
            return Known()
        here = self._here(ChatThread, threads)
        inside = [m.id for draft in drafts if draft.id in here for m in draft.messages if not m.key]
        found = self._here(Message, {*own_names, *inside}, owner="thread_id")
        found |= {str(key): here for key, here in _rows(Message, kept, "thread_id")}
        return Known(
            threads=here,
            messages=found | self._unnamed(drafts, here),
            runs=self._here(Run, runs, owner="thread_id"),
            steps=self._here(RunStep, step_ids, owner="run_id"),
        )

    def _unnamed(self, drafts: Sequence[ThreadDraft], threads: Mapping[str, Here]) -> dict[str, Here]:
        """The messages without an id that are here: those with the same content."""
        wanted = {
            str(threads[draft.id].key): draft.id
            for draft in drafts
            if draft.id in threads and any(message.is_unnamed for message in draft.messages)
        }
        rows = Message._base_manager.filter(thread_id__in=list(wanted)).order_by("thread_id", "sequence", "pk")
        names: dict[str, MessageNames] = defaultdict(MessageNames)
        found = {}
        for key, thread_id, message in rows.values_list("pk", "thread_id", "message").iterator() if wanted else ():
            owner = str(thread_id)
            found[f"{wanted[owner]}/{names[owner].of(message)}"] = Here(key, owner)
        return found

    def _may_know(self, texts: Iterable[str]) -> bool:
        keys = {key for text in texts for key in self.candidates(text)}
        if not all(ids.may_be_adopted(key) for key in keys):
            return True
        return any(ForeignId.objects.filter(pk__in=chunk).exists() for chunk in _chunks(keys))

    def _here(self, model: type[Any], texts: Iterable[str], *, owner: str = "pk") -> dict[str, Here]:
        named = {key: text for text in texts for key in self.candidates(text)}
        return {named[key]: here for key, here in _rows(model, named, owner)}


def _rows(model: type[Any], keys: Iterable[UUID], owner: str) -> Iterator[tuple[UUID, Here]]:
    for chunk in _chunks(keys):
        for key, whose in model.objects.filter(pk__in=chunk).values_list("pk", owner):
            yield key, Here(key, str(whose))


def _chunks(keys: Iterable[UUID]) -> Iterator[list[UUID]]:
    left = iter(keys)
    while chunk := list(islice(left, CHUNK)):
        yield chunk
