"""A thread as people read it: turns with their tool calls, files, runs and feedback, one page at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from ai import ids
from ai.exceptions import NotFound
from ai.models import ChatThread, DataSource, Feedback, Message, Run
from ai.models.runs import RunStatus
from ai.runner import live
from ai.services import turns
from ai.services.comments.reading import comment_counts
from ai.services.turns import Attachment, Citation, Turn
from ai.stores.content import tool_calls_of

Json = dict[str, Any]

PAGE_SIZE = 50

#: So many runs and replays are shown with one page.
MOST_RUNS = 300

RUN_FIELDS = (
    "id", "tenant_id", "thread_id", "model", "response_model", "status", "error_code", "error_message", "incomplete_reason",
    "prompt_tokens", "completion_tokens", "cached_tokens", "total_tokens", "cost", "first_token_ms", "duration_ms", "created",
    "replay_of_thread", "replay_to", "replay_from", "promoted_to",
)  # fmt: skip


@dataclass
class Page:
    """Some turns of a thread. `earlier` and `later` are the sequence numbers to go on from, None at the ends."""

    turns: list[Turn]
    earlier: int | None = None
    later: int | None = None
    first: int = 0
    last: int = 0
    focus: UUID | None = None
    messages: list[Any] = field(default_factory=list, repr=False)


def page(
    *,
    thread: ChatThread,
    before: int | None = None,
    after: int | None = None,
    around: UUID | None = None,
    limit: int = PAGE_SIZE,
    with_comments: bool = False,
) -> Page:
    """Up to `limit` messages of the thread, with all that is shown beside them: at most 5 queries.

    Args:
        before: only messages with a smaller sequence number, the nearest ones.
        after: only messages with a greater one.
        around: the id of a message to show in the middle of the page.
        with_comments: also count the comments on each message, in `comments`.

    With none of these the page is the thread's beginning.

    Raises:
        NotFound: `around` is no message of this thread.
    """
    messages = Message.objects.list_thread_messages(thread.pk)
    if with_comments:
        messages = messages.annotate(comments=comment_counts())
    rows, has_earlier, following = _rows(thread, messages, before, after, around, limit)
    shown = turns.of(rows)
    result = Page(shown, focus=around, messages=rows)
    if rows:
        result.first, result.last = rows[0].sequence, rows[-1].sequence
        result.earlier = result.first if has_earlier else None
        result.later = result.last if following else None
        _add_runs(shown, thread, rows, since=rows[0].created if has_earlier else None, until=following)
        _add_feedback(shown, rows)
        _add_files(shown)
    return result


def _rows(
    thread: ChatThread, messages: Any, before: int | None, after: int | None, around: UUID | None, limit: int
) -> tuple[list[Message], bool, Message | None]:
    """Of the thread's messages those of the page, whether there are earlier ones, and the message that follows."""
    if around is not None:
        middle = messages.filter(pk=around).values_list("sequence", flat=True).first()
        if middle is None:
            raise NotFound("This thread has no such message; it may have been deleted.")
        after = max(0, min(middle - limit // 2 - 1, thread.last_sequence - limit))
    if before is not None:
        rows = list(messages.filter(sequence__lte=before).order_by("-sequence", "-pk")[: limit + 2])
        following = rows.pop(0) if rows and rows[0].sequence == before else None
        return rows[:limit][::-1], len(rows) > limit, following
    rows = list(messages.filter(sequence__gt=after or 0)[: limit + 1])
    return rows[:limit], bool(after), rows[limit] if len(rows) > limit else None


def _add_runs(
    shown: list[Turn], thread: ChatThread, rows: list[Message], *, since: datetime | None, until: Message | None
) -> None:
    """Put runs at their answers, replays at the answers they replay, and runs without an answer where they happened."""
    keys = {key for row in rows if (key := _uuid(row.run_id))}
    during = Q(thread_id=str(thread.pk), replay_of_thread__isnull=True) & ~Q(status=RunStatus.COMPLETED)
    if since:
        during &= Q(created__gte=since)
    if until:
        during &= Q(created__lt=until.created)
    replays = Q(replay_of_thread=thread.pk, replay_to__range=(rows[0].sequence, rows[-1].sequence))
    found = Run.objects.filter(Q(pk__in=keys) | during | replays).only(*RUN_FIELDS)
    answers = {key: turn for turn in shown if turn.role == "assistant" and (key := _uuid(turn.run_id))}
    for run in sorted(found.order_by("-created", "-pk")[:MOST_RUNS], key=lambda run: (run.created, run.pk)):
        if run.replay_of_thread:
            _answer_until(shown, run.replay_to).replays.append(run)
        elif run.pk in answers:
            answers[run.pk].run = run
        elif run.pk not in keys:
            _turn_at(shown, run.created).unanswered.append(run)


def _answer_until(shown: list[Turn], sequence: int | None) -> Turn:
    """The turn that holds the answer whose last message has this number."""
    until = [turn for turn in shown if turn.sequence <= (sequence or 0)]
    return until[-1] if until else shown[0]


def _turn_at(shown: list[Turn], when: Any) -> Turn:
    until = [turn for turn in shown if turn.at <= when]
    return until[-1] if until else shown[0]


def _add_feedback(shown: list[Turn], rows: Iterable[Message]) -> None:
    given: dict[UUID, list[Feedback]] = defaultdict(list)
    keys = [row.pk for row in rows]
    for feedback in Feedback.objects.filter(message_id__in=keys).order_by("given_at", "pk"):
        given[feedback.message_id].append(feedback)
    for turn in shown:
        turn.feedback = given.get(turn.id, [])


def _add_files(shown: list[Turn]) -> None:
    wanted: dict[str, list[Attachment | Citation]] = defaultdict(list)
    for turn in shown:
        for attachment in turn.attachments:
            wanted[attachment.file_id].append(attachment)
        for citation in turn.citations:
            wanted[citation.file_id].append(citation)
    if not wanted:
        return
    for file in DataSource.objects.filter(file_id__in=list(wanted)):
        for named in wanted[file.file_id]:
            named.found(file)


def turn_of(message: Message) -> Turn:
    """One message by itself, with its files."""
    shown = turns.of([message])
    _add_files(shown)
    return shown[0]


def _uuid(text: str | None) -> UUID | None:
    try:
        return ids.parse(text) if text else None
    except NotFound:
        return None


# -- A thread that is being answered


def active_run(thread: ChatThread) -> Run | None:
    """The run that answers the thread now: one query."""
    run: Run | None = Run.objects.active().originals().filter(thread_id=str(thread.pk)).order_by("-created").first()
    return run


def unsaved(run: Run, messages: Iterable[Message]) -> list[Json]:
    """What a run has said so far that is not among its stored `messages`: chat messages, the last one growing."""
    stored = [row for row in messages if _uuid(row.run_id) == run.pk]
    keys = {row.pk for row in stored}
    calls = {call["id"] for row in stored for call in tool_calls_of(row.message or {})}
    answered = {str((row.message or {}).get("tool_call_id")) for row in stored if row.role == "tool"}

    def is_stored(said: Json) -> bool:
        if said.get("role") == "tool":
            return str(said.get("tool_call_id")) in answered
        made = {call["id"] for call in tool_calls_of(said)}
        return _uuid(said.get("id")) in keys or bool(made and made <= calls)

    return [said for said in live.look([run.pk]).get(run.pk, []) if not is_stored(said)]
