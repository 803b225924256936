"""Writing the drafts of threads: what is new of them, in one transaction; what is here already stays as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from ai.models import ChatThread, ForeignId, Message, Run, RunStep
from ai.models.sequences import renumber, reread
from ai.models.threads import NEW_NAME
from ai.models.titles import NAME_CHARACTERS
from ai.services import titles
from ai.services.imports import places
from ai.services.imports.drafts import MessageDraft, Part, Refusal, RunDraft, StepDraft, ThreadDraft
from ai.services.imports.histories import Histories
from ai.services.imports.keys import Keys, Known
from ai.services.imports.places import Standing
from ai.services.imports.reports import Outcome
from ai.stores.content import text_of
from ai.stores.serialization import clean_text
from ai.stores.tags import fitting

#: A title follows from the first words; the rule would look at all of them.
TITLED_BY = 100


def write(drafts: Sequence[ThreadDraft], *, keys: Keys, source: str, dry_run: bool = False) -> list[Outcome]:
    """Write what is new of the drafts, all of them or none, or with `dry_run` only find out what that is."""
    with transaction.atomic():
        known, rows = keys.known(drafts), _Rows()
        here = ChatThread.objects.all_locked(each.key for each in known.threads.values())
        writers = [_Writer(draft, keys, known, here) for draft in drafts]
        if not dry_run:
            for writer in writers:
                writer.write(source, rows)
            rows.save(keys.tenant_id)
    return [writer.outcome for writer in writers]


@dataclass(slots=True)
class _Rows:
    """New rows of several threads: a statement for all of them costs little more than one for each of them would."""

    ids: list[str] = field(default_factory=list)
    threads: list[ChatThread] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    steps: list[RunStep] = field(default_factory=list)

    def save(self, tenant_id: UUID) -> None:
        """Write them."""
        ForeignId.objects.adopt(self.ids, tenant_id=tenant_id)
        ChatThread.objects.insert(*self.threads)
        Message.objects.insert_many(self.messages)
        Run.objects.insert(self.runs)
        RunStep.objects.write(self.steps)


class _Writer:
    """One draft on its way into the tables."""

    def __init__(self, draft: ThreadDraft, keys: Keys, known: Known, here: Mapping[UUID, ChatThread]) -> None:
        self.draft, self.keys, self.known = draft, keys, known
        self.outcome = Outcome()
        self.key = keys.of(draft.id, known.threads.get(draft.id), own=draft.key)
        self.thread = here.get(self.key)
        self._count("thread", is_new=self.thread is None)
        self.tags = self._tags() if self.thread is None else []
        self.runs = [run for run in draft.runs if self._is_new("run", run, known.runs.get(run.id), str(self.key))]
        self.steps = self._new_steps()
        self.messages = self._messages()

    # -- What is new

    def _tags(self) -> list[str]:
        """The tags that a thread can carry; the others are refused."""
        given = self.draft.tags or []
        kept = fitting(given)
        if len(kept) < len(given):
            reason = f"Only {len(kept)} of the thread's {len(given)} tags are kept: a thread cannot carry more, or they are too long."
            self.outcome.refused.append(Refusal("tag", self.draft.place, reason, self.draft.id))
        return kept

    def _count(self, kind: str, *, is_new: bool) -> None:
        (self.outcome.new if is_new else self.outcome.unchanged)[kind] += 1

    def _refuse(self, kind: str, part: Part, reason: str) -> None:
        self.outcome.refused.append(Refusal(kind, part.place, reason, part.id))

    def _is_new(self, kind: str, part: Part, here: object, owner: str) -> bool:
        """Whether the part is to be written; one that is somebody else's is refused."""
        found = getattr(here, "owner", owner)
        if found != owner:
            self._refuse(kind, part, f"The {kind} with this id belongs to something else here.")
            return False
        self._count(kind, is_new=here is None)
        return here is None

    def _new_steps(self) -> list[StepDraft]:
        mine = {run.id for run in self.runs} | {
            text for text, here in self.known.runs.items() if here.owner == str(self.key)
        }
        found = []
        for step in self.draft.steps:
            if step.run_id not in mine:
                self._refuse("step", step, f"Its run {step.run_id} is neither in this dump nor here.")
            elif self._is_new("step", step, self.known.steps.get(step.id), str(self._run_key(step.run_id))):
                found.append(step)
        return found

    def _messages(self) -> list[MessageDraft]:
        """The thread's messages as the dump has them, without those that are refused; new ones and known ones."""
        written = {step.id for step in self.steps}
        found = []
        for message in self.draft.messages:
            here = self.known.messages.get(message.id)
            if message.belongs_to_step:
                if here or message.belongs_to_step in written:
                    found.append(message)
            elif self._is_new("message", message, here, str(self.key)) or (here and here.owner == str(self.key)):
                found.append(message)
        return found

    def _run_key(self, run_id: str) -> UUID:
        return self.keys.of(run_id, self.known.runs.get(run_id))

    def _message_key(self, message: MessageDraft) -> UUID:
        return self.keys.of(message.id, self.known.messages.get(message.id), own=message.key)

    # -- Rows

    def write(self, source: str, rows: _Rows) -> None:
        """Add what is new to the rows, and make room for it."""
        fresh = [message for message in self.messages if message.id not in self.known.messages]
        if self.thread and not (fresh or self.runs or self.steps or self._lacks_data()):
            return
        standing = self._standing()
        found = self._places(standing, fresh)
        histories = self._histories(standing, fresh, found) if self.runs or self.thread else Histories(())
        rows.ids += self._adopted(fresh)
        if self.thread is None:
            thread = self._new_thread(source, fresh, found.last)
            rows.threads.append(thread)
        else:
            thread = self.thread
            self._grow(thread, fresh, found, histories)
        rows.messages += [self._message_row(m, thread, found.new[self._message_key(m)]) for m in fresh]
        rows.runs += [self._run_row(run, histories) for run in self.runs]
        rows.steps += self._step_rows()

    def _places(self, standing: list[Standing], fresh: list[MessageDraft]) -> places.Places:
        """The numbers of the messages: where the thread has none yet, those that they bring."""
        own = {self._message_key(m): m.sequence for m in fresh if m.sequence is not None}
        if not standing and fresh and len(set(own.values())) == len(fresh):
            return places.Places(new=own, last=max(own.values()))
        return places.find(standing, [(self._message_key(m), m.at) for m in self.messages])

    def _standing(self) -> list[Standing]:
        if self.thread is None:
            return []
        # The thread is in scope. With its tenant in the query too, SQLite would read all that the tenant has.
        rows = Message._base_manager.filter(thread_id=str(self.key)).order_by("sequence", "pk")
        return [Standing(*row) for row in rows.values_list("pk", "sequence", "created", "run_id")]

    def _adopted(self, fresh: Iterable[MessageDraft]) -> list[str]:
        """The ids of new rows, and those that they name."""
        runs = [run.id for run in self.runs] + [m.run_id for m in fresh if m.run_id and m.run_id not in self.known.runs]
        texts = [*runs, *(step.id for step in self.steps), *(m.id for m in fresh if m.id == m.external_id)]
        texts += [] if self.thread or self.draft.key else [self.draft.id]
        return texts + self.keys.adopted_assistants(run.assistant_id for run in self.runs if run.assistant_id)

    def _message_row(self, draft: MessageDraft, thread: ChatThread, sequence: int) -> Message:
        row = Message.objects.build(
            draft.message,
            thread=thread,
            sequence=sequence,
            at=draft.at,
            run_id=self._run_key(draft.run_id) if draft.run_id else None,
            external_id=draft.external_id,
            key=self._message_key(draft),
        )
        row.data = draft.data
        for name, value in draft.values.items():
            setattr(row, name, value)
        return row

    def _add_calls(self) -> None:
        """Give messages that were here the calls of steps that were not."""
        written = {step.id for step in self.steps}
        for message in self.messages:
            here = self.known.messages.get(message.id)
            if here and message.calls_of in written:
                calls = {"id": str(here.key), "tool_calls": message.message["tool_calls"]}
                Message.objects.create_or_update(calls, self.key)

    def _histories(self, standing: list[Standing], fresh: list[MessageDraft], found: places.Places) -> Histories:
        old = ((found.moved.get(m.sequence, m.sequence), m.at, m.run_id) for m in standing)
        new = (
            (found.new[self._message_key(m)], m.at, str(self._run_key(m.run_id)) if m.run_id else None) for m in fresh
        )
        return Histories([*old, *new])

    def _run_row(self, draft: RunDraft, histories: Histories) -> Run:
        key = self._run_key(draft.id)
        return Run(
            id=key,
            tenant_id=self.keys.tenant_id,
            thread_id=str(self.key),
            external_id=draft.id,
            assistant_id=self.keys.assistant(draft.assistant_id) if draft.assistant_id else None,
            history_until=histories.before(str(key), at=draft.at),
            created=draft.at,
            modified=draft.values["ended_at"],
            **draft.values,
        )

    def _step_rows(self) -> Iterable[RunStep]:
        numbers = self._numbers_of_steps()
        rows = []
        for step in self.steps:
            run_key = self._run_key(step.run_id)
            rows.append(
                RunStep(
                    id=self.keys.of(step.id),
                    tenant_id=self.keys.tenant_id,
                    run_id=run_key,
                    thread_id=str(self.key),
                    index=numbers[run_key],
                    created=step.at,
                    modified=step.values["ended_at"],
                    **step.values,
                )
            )
            numbers[run_key] += 1
        return rows

    def _numbers_of_steps(self) -> Counter[UUID]:
        """The number of each run's next step."""
        grown = [here.key for run_id in {s.run_id for s in self.steps} if (here := self.known.runs.get(run_id))]
        rows = RunStep.objects.filter(run_id__in=grown).values("run_id").annotate(last=Max("index")) if grown else []
        return Counter({row["run_id"]: row["last"] + 1 for row in rows})

    # -- The thread itself

    def _lacks_data(self) -> bool:
        """Whether the thread was only named by messages before, and the dump knows more of it now."""
        thread = self.thread
        knows_more = bool(self.draft.data) and not self.draft.is_implied
        return thread is not None and knows_more and "metadata" not in (thread.data or {})

    def _new_thread(self, source: str, fresh: list[MessageDraft], last: int) -> ChatThread:
        opening, latest = self._opening(), self._latest(fresh)
        values = {
            "id": self.key,
            "tenant_id": self.keys.tenant_id,
            "name": self._title(opening),
            "tags": self.tags or titles.tags_for(opening, None),
            "external_id": self.draft.external_id,
            "user_id": self.draft.user_id,
            "forked_from": self._forked_from(),
            "data": self.draft.data,
            "source": source,
            "model": self._model(),
            "message_count": len(fresh),
            "last_sequence": last,
            "created": self.draft.at,
            "modified": latest,
            "last_activity_at": latest,
            "has_files": _has_files(fresh),
        }
        return ChatThread(**{**values, **self.draft.values})

    def _grow(self, thread: ChatThread, fresh: list[MessageDraft], found: places.Places, histories: Histories) -> None:
        latest = self._latest(fresh)
        ChatThread.objects.grow(
            thread,
            count=len(fresh),
            last_sequence=found.last,
            last_activity_at=max(latest, thread.last_activity_at),
            model=self._model() or thread.model,
            has_files=_has_files(fresh) or thread.has_files,
            data={**(thread.data or {}), **self.draft.data} if self._lacks_data() else thread.data,
        )
        title = self._title(self._opening())
        if thread.name == NEW_NAME != title:
            ChatThread.objects.rename(thread.pk, name=title, at=latest)
        renumber(self.key, found.moved)
        self._add_calls()
        if fresh:
            reread(self.key, lambda run: histories.before(str(run.pk), at=run.created))

    def _forked_from(self) -> UUID | None:
        origin = self.draft.forked_from
        return self.keys.of(origin, self.known.threads.get(origin)) if origin else None

    def _latest(self, fresh: Iterable[MessageDraft]) -> datetime:
        latest = max((message.at for message in fresh), default=self.draft.at)
        return max(latest, self.draft.last_at or latest)

    def _model(self) -> str:
        """The model that answered last."""
        return max(self.runs, key=lambda run: run.at).values["model"] if self.runs else self.draft.model

    def _opening(self) -> str:
        """What the user said first."""
        asked = (message for message in self.messages if message.message["role"] == "user")
        return next((text for message in asked if (text := text_of(message.message).strip())), "")

    def _title(self, opening: str) -> str:
        given = " ".join(clean_text(self.draft.title).split())[:NAME_CHARACTERS]
        return given or titles.by_rule(opening[:TITLED_BY])


def _has_files(messages: Iterable[MessageDraft]) -> bool:
    return any(message.message.get("attachments") for message in messages)
