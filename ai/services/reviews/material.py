"""What an item is about, as a model reads it: quoted, and no longer than its budget.

Somebody else wrote all of it, so that it is data and nothing else, whatever it asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ai.exceptions import NotFound
from ai.models import ChatThread, Message, ReviewItem, Run
from ai.models.reviews import ReviewUnit
from ai.services import comparisons
from ai.services.titling.text import plain
from ai.stores.content import role_of, text_of, tool_calls_of
from ai.stores.serialization import quoted

Json = dict[str, Any]

#: So much of a conversation is read at most, of one message, and of what is judged itself.
CHARACTERS = 24_000
MESSAGE_CHARACTERS = 6_000
CALL_CHARACTERS = 1_000
MOST_CALLS = 20
#: Messages from the beginning and before what is judged; what lies between is left out.
FIRST, LAST = 40, 160

WHAT = {
    ReviewUnit.THREAD: "Answer about the whole conversation.",
    ReviewUnit.MESSAGE: "Answer about the message under “judged”; the conversation is what was said before it.",
    ReviewUnit.RUN: "Answer about the answer under “judged”; the conversation is what was said before it.",
    ReviewUnit.REPLAY: "Answer about the answer under “judged”, which another model gave; “original” is the first one's.",
}


def of(item: ReviewItem, unit: str, *, budget: int = CHARACTERS) -> str:
    """The item as JSON in which nothing can end the quotation; about `budget` characters at most.

    Raises:
        NotFound: what it is about was deleted.
    """
    kind = ReviewUnit(unit)
    if kind == ReviewUnit.REPLAY:
        return quoted(_replay(item, budget))
    judged = _judged(item, kind)
    until = judged[0].sequence if judged else None
    told = _cut([_said(row) for row in judged], budget // 2)
    left = max(budget - _size(told), budget // 2)
    thread = ChatThread.objects.get_thread(item.thread_id)
    conversation = _cut(_conversation(thread, until), left)
    return quoted({"conversation": conversation, **({"judged": told} if kind != ReviewUnit.THREAD else {})})


def _judged(item: ReviewItem, kind: ReviewUnit) -> list[Message]:
    """The messages that are judged themselves; none where it is the conversation."""
    if kind == ReviewUnit.THREAD:
        return []
    rows = Message.objects.list_thread_messages(item.thread_id)
    rows = rows.filter(pk=item.object_id) if kind == ReviewUnit.MESSAGE else rows.filter(run_id=str(item.object_id))
    found = list(rows[:LAST])
    if not found:
        raise NotFound("What this item is about is gone, or has no answer.")
    return found


def _conversation(thread: ChatThread, until: int | None) -> list[Json]:
    """What was said, up to the message with this number; of a long one its beginning and its end."""
    rows = Message.objects.list_thread_messages(thread.pk)
    rows = rows if until is None else rows.filter(sequence__lt=until)
    first = list(rows[:FIRST])
    after = first[-1].sequence if first else 0
    last = list(rows.filter(sequence__gt=after).order_by("-sequence", "-pk")[: LAST + 1])
    gap = [{"left_out": "messages in between"}] if len(last) > LAST else []
    return [*map(_said, first), *gap, *map(_said, last[:LAST][::-1])]


def _said(row: Message) -> Json:
    message = row.message if isinstance(row.message, dict) else {}
    calls = [f"{call['name']}({call['arguments'][:CALL_CHARACTERS]})" for call in tool_calls_of(message)]
    return _piece(role_of(message), text_of(message), calls)


def _piece(speaker: str, text: str, calls: Iterable[str] = (), *, budget: int = MESSAGE_CHARACTERS) -> Json:
    called = _calls([plain(call) for call in calls], budget)
    return {
        "speaker": speaker,
        "text": _text(plain(text[: budget * 2]), budget),
        **({"tool_calls": called} if called else {}),
    }


def _text(words: str, budget: int) -> str:
    return words if len(words) <= budget else words[:budget] + " […]"


def _calls(calls: Sequence[str], budget: int) -> list[str]:
    """The first calls, twenty at most and as many as fit; where some are left out, that is said."""
    kept: list[str] = []
    for call in calls[:MOST_CALLS]:
        if budget <= 0:
            break
        kept.append(_text(call, budget))
        budget -= len(call)
    left_out = len(calls) - len(kept)
    return [*kept, f"[… {left_out} more calls]"] if left_out else kept


def _size(pieces: Sequence[Json]) -> int:
    return sum(len(str(piece)) for piece in pieces)


def _cut(pieces: list[Json], budget: int) -> list[Json]:
    """As many pieces from the beginning and from the end as fit, one third and two thirds of the budget."""
    if _size(pieces) <= budget:
        return pieces
    head = _fitting(pieces, budget // 3)
    rest = budget - _size(pieces[:head])
    tail = _fitting(pieces[head:][::-1], rest)
    kept = pieces[len(pieces) - tail :] if tail else [_shortest(pieces[-1], rest)]
    left_out = len(pieces) - head - len(kept)
    return [*pieces[:head], *([{"left_out": f"{left_out} messages"}] if left_out else []), *kept]


def _shortest(piece: Json, budget: int) -> Json:
    """A piece that is more than the budget, cut off: its words, and with what they leave its calls, half of it at least."""
    words = str(piece.get("text") or "")
    called = piece.get("tool_calls") or []
    text = _text(words, max(budget // 2, budget - sum(map(len, called))) if called else budget)
    calls = _calls(called, budget - len(text))
    return {**piece, "text": text, **({"tool_calls": calls} if calls else {})}


def _fitting(pieces: Sequence[Json], budget: int) -> int:
    """How many of the first pieces fit."""
    for number, piece in enumerate(pieces):
        budget -= len(str(piece))
        if budget < 0:
            return number
    return len(pieces)


def _replay(item: ReviewItem, budget: int) -> Json:
    found = comparisons.comparison(run_id=item.object_id)
    replay = next((answer for answer in found.replays if answer.run_id == item.object_id), None)
    if replay is None or not Run.objects.filter(pk=item.object_id).exists():
        raise NotFound("The replay is gone.")
    share = budget // 3
    return {
        "conversation": [_piece("user", found.question, budget=min(share, MESSAGE_CHARACTERS))],
        "original": _answer(found.original, share),
        "judged": _answer(replay, share),
    }


def _answer(answer: comparisons.Answer, budget: int) -> list[Json]:
    calls = [
        f"{step['name']}({str(step['arguments'])[:CALL_CHARACTERS]})"
        for step in answer.steps
        if step["kind"] == "tool_call"
    ]
    return [_piece("assistant", answer.text, calls, budget=min(budget // 2, MESSAGE_CHARACTERS))]
