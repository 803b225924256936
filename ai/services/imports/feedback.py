"""Writing drafts of feedback: each finds its message among those that are here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from uuid import UUID

from django.db import transaction

from ai.models import ChatThread, Feedback, Message
from ai.services.imports.drafts import FeedbackDraft, Refusal
from ai.services.imports.keys import Keys
from ai.services.imports.reports import Outcome

Found = dict[tuple[str, str | int], Message]


@transaction.atomic
def write(drafts: Sequence[FeedbackDraft], *, keys: Keys, foretold: Container[str] | None = None) -> list[Outcome]:
    """Write what is new of the drafts; a person's feedback on a message that has some from them already stays.

    With `foretold`, the threads that would be here by then, it only says what would be written.
    """
    threads = _threads(drafts, keys)
    messages = _by_name(drafts, threads) | _by_number(drafts, threads) | _by_key(drafts, threads, keys)
    wanted = {draft.id: draft.key or keys.of(f"feedback/{draft.id}") for draft in drafts}
    here = set(Feedback.objects.filter(pk__in=wanted.values()).values_list("pk", flat=True))
    pairs = Feedback.objects.filter(message_id__in={row.pk for row in messages.values()})
    taken = set(pairs.values_list("message_id", "user_id"))
    outcomes, rows = [], []
    for draft in drafts:
        message = messages.get(_reference(draft))
        if message is None:
            is_to_come = draft.thread_id in (foretold or ())
            outcomes.append(Outcome(new=Counter(feedback=1)) if is_to_come else _lost(draft, threads))
            continue
        key, pair = wanted[draft.id], (message.pk, draft.user_id)
        if key in here or pair in taken:
            outcomes.append(Outcome(unchanged=Counter(feedback=1)))
            continue
        here.add(key)
        taken.add(pair)
        rows.append(_row(draft, message, key))
        outcomes.append(Outcome(new=Counter(feedback=1)))
    if foretold is None:
        Feedback.objects.insert(rows)
    return outcomes


def _row(draft: FeedbackDraft, message: Message, key: UUID) -> Feedback:
    return Feedback(
        id=key,
        tenant_id=message.tenant_id,
        thread_id=UUID(str(message.thread_id)),
        message_id=message.pk,
        user_id=draft.user_id,
        **{"given_at": draft.at, "created": draft.at, "modified": draft.at, **draft.values},
    )


def _reference(draft: FeedbackDraft) -> tuple[str, str | int]:
    which = draft.message_index if draft.message_id is None else draft.message_id
    return draft.thread_id, which if which is not None else -1


def _lost(draft: FeedbackDraft, threads: dict[str, list[UUID]]) -> Outcome:
    named = draft.message_id if draft.message_id is not None else f"number {draft.message_index}"
    reason = f"Its message {named} is not in the thread {draft.thread_id}."
    if draft.thread_id not in threads:
        reason = f"Its thread {draft.thread_id} is not here: import the threads first."
    return Outcome(refused=[Refusal("feedback", draft.place, reason, draft.id)])


def _threads(drafts: Iterable[FeedbackDraft], keys: Keys) -> dict[str, list[UUID]]:
    """The keys of the threads that the drafts name, by that name; each with those of its forks."""
    named = keys.threads(draft.thread_id for draft in drafts)
    found = {text: [key] for text, key in named.items()}
    texts = {key: text for text, key in named.items()}
    forks = ChatThread.objects.filter(forked_from__in=list(texts), source__in=_sources(texts)).order_by("created", "pk")
    for key, origin in forks.values_list("pk", "forked_from"):
        found[texts[origin]].append(key)
    return found


def _sources(texts: dict[UUID, str]) -> list[str]:
    """Where the threads came from: forks that were made here have messages of their own."""
    return list(ChatThread.objects.filter(pk__in=list(texts)).values_list("source", flat=True).distinct())


def _by_key(drafts: Sequence[FeedbackDraft], threads: dict[str, list[UUID]], keys: Keys) -> Found:
    """The messages that have the names because an import gave them, or because they were made here."""
    named = {
        key: _reference(draft)
        for draft in drafts
        if draft.message_id is not None and draft.thread_id in threads
        for key in keys.candidates(f"{draft.thread_id}/{draft.message_id}")
    }
    rows = Message._base_manager.filter(pk__in=list(named), tenant_id=keys.tenant_id).only(*_COLUMNS)
    mine = ((named[row.pk], row) for row in rows)
    return {reference: row for reference, row in mine if row.thread_id == str(threads[reference[0]][0])}


def _by_name(drafts: Sequence[FeedbackDraft], threads: dict[str, list[UUID]]) -> Found:
    names = {draft.message_id for draft in drafts if draft.message_id is not None and draft.thread_id in threads}
    rank = {str(key): (text, place) for text, keys in threads.items() for place, key in enumerate(keys)}
    if not names:
        return {}
    rows = Message._base_manager.filter(external_id__in=names, thread_id__in=list(rank)).only(*_COLUMNS)
    found: Found = {}
    for row in sorted(rows, key=lambda row: rank[str(row.thread_id)][1]):
        found.setdefault((rank[str(row.thread_id)][0], str(row.external_id)), row)
    return found


def _by_number(drafts: Sequence[FeedbackDraft], threads: dict[str, list[UUID]]) -> Found:
    texts = {d.thread_id for d in drafts if d.message_id is None and d.thread_id in threads}
    keys = {str(threads[text][0]): text for text in texts}
    rows = Message._base_manager.filter(thread_id__in=list(keys)).order_by("thread_id", "sequence", "pk")
    numbers: Counter[str] = Counter()
    found: Found = {}
    for row in rows.only(*_COLUMNS) if keys else ():
        text = keys[str(row.thread_id)]
        found[text, numbers[text]] = row
        numbers[text] += 1
    return found


_COLUMNS = ("pk", "tenant_id", "thread_id", "external_id")
