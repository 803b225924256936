"""Fine-tuning files in OpenAI's formats: examples of conversations (SFT), and pairs of a better and a worse answer (DPO).

What OpenAI's API refuses is left out: examples without an answer, names beside the ones it knows, calls without a result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

from ai.models import ChatThread, Feedback, Run
from ai.models.feedback import Rating
from ai.models.runs import RunStatus
from ai.services.exports import conversations
from ai.services.exports.conversations import MOST_CHARACTERS, MOST_MESSAGES, MOST_THREADS, Json, Said
from ai.services.exports.rows import Written
from ai.services.tables import dumps
from ai.stores.content import text_of, tool_calls_of

ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})


def write_examples(noun: str, querysets: Iterable[Any], out: IO[bytes], *, is_first: bool = True) -> Written:
    """Write each thread as `{"messages", "tools"?}` up to its last answer; answers with thumbs down have the weight 0."""
    written = Written()
    for batch in _batches(querysets):
        ratings, tools = _ratings(batch), _tools(batch)
        for thread, said in batch:
            messages = _example(said, ratings)
            if messages:
                used = tools.get(str(thread.pk)) if any("tool_calls" in message for message in messages) else None
                out.write(dumps({"messages": messages, **({"tools": used} if used else {})}).encode() + b"\n")
            written.add(Written(1, bool(messages)))
    return written


def write_pairs(noun: str, querysets: Iterable[Any], out: IO[bytes], *, is_first: bool = True) -> Written:
    """Write a line `{"input": {"messages", "tools"?}, "preferred_output", "non_preferred_output"}` for each replay of an
    answer that people preferred one of: an answer with thumbs up to its replays, a replay to an answer with thumbs down,
    and a replay that was made a thread of its own to the answer, unless that has thumbs up.
    """
    written = Written()
    for batch in _batches(querysets):
        ratings, replays, tools = _ratings(batch), _replays(batch), _tools(batch)
        for thread, said in batch:
            pairs = list(_pairs(said, replays.get(str(thread.pk), ()), ratings, tools.get(str(thread.pk))))
            out.writelines(dumps(pair).encode() + b"\n" for pair in pairs)
            written.add(Written(1, len(pairs)))
    return written


Batch = list[tuple[ChatThread, list[Said]]]


def _batches(querysets: Iterable[Any]) -> Iterator[Batch]:
    """Some threads with their messages at a time, so that what belongs to them is found with a query for all of them."""
    batch: Batch = []
    messages = characters = 0
    for thread, said in conversations.of(querysets):
        batch.append((thread, said))
        messages, characters = messages + len(said), characters + sum(each.characters for each in said)
        if len(batch) >= MOST_THREADS or messages >= MOST_MESSAGES or characters >= MOST_CHARACTERS:
            yield batch
            batch, messages, characters = [], 0, 0
    if batch:
        yield batch


def _ratings(batch: Batch) -> dict[Any, str]:
    """The thumb of each message that has one; opposite thumbs cancel each other."""
    rows = Feedback.objects.filter(thread_id__in=[thread.pk for thread, _ in batch]).exclude(rating="")
    found: dict[Any, set[str]] = defaultdict(set)
    for message_id, rating in rows.order_by("pk").values_list("message_id", "rating"):
        found[message_id].add(rating)
    return {key: thumbs.pop() for key, thumbs in found.items() if len(thumbs) == 1}


def _tools(batch: Batch) -> dict[str, list[Json]]:
    """The functions that each thread's last run could call."""
    rows = Run.objects.originals().filter(thread_id__in=[str(thread.pk) for thread, _ in batch])
    found = {}
    for thread_id, tools in rows.order_by("created", "pk").values_list("thread_id", "tools"):
        functions = [tool for tool in tools or [] if isinstance(tool, dict) and tool.get("type") == "function"]
        if functions:
            found[thread_id] = functions
    return found


def _replays(batch: Batch) -> dict[str, list[Run]]:
    """The completed replays of each thread's answers, the oldest first."""
    rows = Run.objects.replays().filter(replay_of_thread__in=[thread.pk for thread, _ in batch])
    found: dict[str, list[Run]] = defaultdict(list)
    for run in rows.filter(status=RunStatus.COMPLETED).order_by("created", "pk"):
        found[str(run.replay_of_thread)].append(run)
    return found


def _plain(message: Any) -> Json | None:
    """A message with the names that OpenAI knows and no other; None when it says nothing."""
    role = message.get("role") if isinstance(message, dict) else None
    if role not in ROLES:
        return None
    calls = [
        {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}}
        for call in tool_calls_of(message)
    ]
    words = text_of(message)
    if not words and not calls and role != "tool":
        return None
    kept = {"name": message["name"]} if role in {"user", "assistant"} and isinstance(message.get("name"), str) else {}
    kept |= {"tool_call_id": str(message.get("tool_call_id") or "")} if role == "tool" else {}
    return {
        "role": role,
        "content": words or (None if calls else ""),
        **({"tool_calls": calls} if calls else {}),
        **kept,
    }


def _complete(messages: Iterable[Json | None]) -> list[Json]:
    """The messages without calls that nobody answered and results that nobody asked for."""
    said = [message for message in messages if message is not None]
    answered = {message["tool_call_id"] for message in said if message["role"] == "tool"}
    asked: set[str] = set()
    kept = []
    for message in said:
        calls = [call["id"] for call in message.get("tool_calls", ())]
        if message["role"] == "tool" and message["tool_call_id"] not in asked:
            continue
        if calls and not answered.issuperset(calls):
            if not message["content"]:
                continue
            message = {name: value for name, value in message.items() if name != "tool_calls"}
        else:
            asked |= set(calls)
        kept.append(message)
    return kept


def _example(said: Sequence[Said], ratings: dict[Any, str]) -> list[Json]:
    """The conversation up to its last answer in words; empty when there is nothing to learn."""
    messages = []
    for each in said:
        message = _plain(each.message)
        if message and message["role"] == "assistant" and ratings.get(each.id) == Rating.DOWN:
            message["weight"] = 0
        messages.append(message)
    kept = _complete(messages)
    while kept and (kept[-1]["role"] != "assistant" or "tool_calls" in kept[-1]):
        kept.pop()
    learns = any(message["role"] == "assistant" and message.get("weight") != 0 for message in kept)
    asks = any(message["role"] == "user" for message in kept)
    return kept if learns and asks else []


def _pairs(
    said: Sequence[Said], replays: Iterable[Run], ratings: dict[Any, str], tools: list[Json] | None
) -> Iterator[Json]:
    for run in replays:
        first, last, until = run.replay_from or 0, run.replay_to or 0, run.history_until or 0
        answer = [each for each in said if first <= each.sequence <= last]
        original = _last_answer(each.message for each in answer)
        replayed = _last_answer(run.output if isinstance(run.output, list) else [])
        history = _complete(_plain(each.message) for each in said if each.sequence <= until)
        preferred = _preferred(answer, run, ratings)
        if not (original and replayed and history and preferred) or original["content"] == replayed["content"]:
            continue
        better, worse = (original, replayed) if preferred == "original" else (replayed, original)
        yield {
            "input": {"messages": history, **({"tools": tools} if tools else {})},
            "preferred_output": [better],
            "non_preferred_output": [worse],
        }


def _preferred(answer: Iterable[Said], run: Run, ratings: dict[Any, str]) -> str:
    """Which of an answer and its replay people preferred; empty where nobody said."""
    thumbs = {ratings[each.id] for each in answer if each.id in ratings}
    if thumbs == {Rating.UP}:
        return "" if run.promoted_to else "original"
    return "replay" if thumbs == {Rating.DOWN} or (run.promoted_to and not thumbs) else ""


def _last_answer(messages: Iterable[Any]) -> Json | None:
    """The last thing that an assistant said in words."""
    for message in reversed(list(messages)):
        plain = _plain(message)
        if plain and plain["role"] == "assistant" and plain["content"]:
            return {"role": "assistant", "content": plain["content"]}
    return None
