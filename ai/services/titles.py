"""Titles of threads: found by a rule, or by a model where one is set, and always fit to be shown."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import UUID

from asgiref.sync import async_to_sync

from ai import conf, dispatch, llm
from ai.exceptions import AIError, InvalidInput, NotFound
from ai.models import ChatThread
from ai.models.threads import NEW_NAME
from ai.services.titling import tags as tagging
from ai.services.titling.conversations import Conversation, of_thread
from ai.services.titling.text import tidy

if TYPE_CHECKING:
    from ai.services.titling.writers import Written

__all__ = ["Conversation", "Proposal", "by_rule", "find", "for_now", "tags_for", "tidy", "trim_and_tag"]

log = logging.getLogger(__name__)

LOCAL = "local"

_loading = Lock()

#: Failures that the next conversation will meet as well.
HOPELESS = frozenset({"authentication_failed", "model_not_found"})


@dataclass(frozen=True)
class Proposal:
    """A title and the tags to add, who found them ("rule", or the model's alias), and what that used and cost in US$."""

    title: str
    tags: list[str] = field(default_factory=list)
    source: str = "rule"
    note: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal | None = Decimal(0)
    is_hopeless: bool = False


def by_rule(text: str) -> str:
    """A title of one to five words from what a conversation began with."""
    return Conversation.of_text(text).by_rule() or NEW_NAME


def tags_for(text: str, tags: Iterable[str] | None) -> list[str]:
    """The thread's tags, and those that a rule finds in what the conversation began with."""
    return tagging.merged(tags, tagging.by_rule(Conversation.of_text(text)))


def model_spec(alias: str) -> llm.ModelSpec | None:
    """The model behind the alias; None for no alias: the rule.

    Raises:
        InvalidInput: there is no such model, it is disabled, or it is an agent, which may have tools.
    """
    if not alias:
        return None
    try:
        spec = llm.spec(alias)
    except NotFound as error:
        raise InvalidInput(error.message) from error
    if spec.provider == llm.AGENT:
        raise InvalidInput("A Marvin agent cannot write titles; choose a model.")
    return spec


def find(
    conversations: Sequence[Conversation], *, spec: llm.ModelSpec | None, choices: Sequence[str] = ()
) -> list[Proposal]:
    """A title for each conversation: the model's where there is one and its answer is fit, else the rule's.

    Args:
        choices: the tags that a model may choose from.
    """
    if spec is None:
        return [_by_rule(conversation) for conversation in conversations]
    try:
        load()
        written = async_to_sync(_written)(conversations, spec=spec, choices=choices)
    except (AIError, ImportError) as error:
        note = llm.translate(error).message
        log.warning("The title model %s gave no title: %s", spec.alias, note)
        return [_by_rule(conversation, note=note, is_hopeless=True) for conversation in conversations]
    return [_proposal(c, w, spec) for c, w in zip(conversations, written, strict=True)]


def _by_rule(conversation: Conversation, *, note: str = "", **values: Any) -> Proposal:
    return Proposal(conversation.by_rule() or NEW_NAME, tagging.by_rule(conversation), note=note, **values)


def _proposal(conversation: Conversation, written: Written | None, spec: llm.ModelSpec) -> Proposal:
    if written is None:  # nothing was said
        return _by_rule(conversation)
    error, used = written.error, written.usage
    values: dict[str, Any] = {
        "input_tokens": used.input_tokens,
        "output_tokens": used.output_tokens,
        "cost": llm.cost(spec, used),
        "is_hopeless": bool(error and error.code in HOPELESS),
    }
    if not written.title:
        note = error.message if error else f"{spec.alias} gave no usable title."
        return _by_rule(conversation, note=note, **values)
    found = list(dict.fromkeys([*tagging.by_rule(conversation), *written.tags]))
    return Proposal(written.title, found, source=spec.alias, **values)


def load() -> None:
    """Import Marvin, one thread at a time and after what runs take: two threads can meet packages half loaded."""
    from ai.services import runs  # noqa: PLC0415 - only workers need it

    runs.prepare()
    with _loading:
        import ai.services.titling.writers  # noqa: F401, PLC0415


async def _written(
    conversations: Sequence[Conversation], *, spec: llm.ModelSpec, choices: Sequence[str]
) -> list[Written | None]:
    import asyncio  # noqa: PLC0415

    from ai.services.titling import writers  # noqa: PLC0415 - `load` has done it

    is_local = spec.provider == LOCAL
    gate = asyncio.Semaphore(spec.concurrency)

    async def one(conversation: Conversation) -> Written | None:
        if not conversation.turns:
            return None
        async with gate:
            offered = () if is_local else choices  # a model as small as that chooses at random
            return await writers.write(conversation, model=model, choices=offered, strict=is_local)

    try:
        model = llm.resolve(spec)
        return list(await asyncio.gather(*(one(conversation) for conversation in conversations)))
    finally:
        await llm.aclose()


def in_batches(things: Iterable[Any]) -> Iterator[list[Any]]:
    """The things, so many at a time as a model is asked about."""
    waiting = iter(things)
    while batch := list(islice(waiting, conf.current().model_concurrency)):
        yield batch


def for_now(text: str, *, thread_id: UUID, tenant_id: UUID) -> tuple[str, bool]:
    """What a thread that begins with `text` is called, and whether that is its title for good.

    Where a model writes the titles it is not: a worker is asked for one when the transaction commits.
    """
    if not conf.current().title_model:
        return by_rule(text), True
    dispatch.title_thread(name=text, thread_id=thread_id, tenant_id=tenant_id)
    return ChatThread.objects.trim_message(text) or NEW_NAME, False


def trim_and_tag(*, name: str, thread_id: UUID, tenant_id: UUID, at: datetime) -> ChatThread | None:
    """Give a new thread its title and tags; None when it is gone. A second time changes nothing.

    A title that somebody gave in the meantime, or locked, stays.
    """
    thread: ChatThread | None = ChatThread.objects.filter(pk=thread_id, tenant_id=tenant_id).first()
    if thread is None or (thread.data or {}).get("tagged"):
        return thread
    conversation = Conversation.of_text(name) if (name or "").strip() else of_thread(thread)
    given = {ChatThread.objects.trim_message(name or ""), NEW_NAME, "", None}
    if thread.name in given and not thread.title_locked:
        found = find([conversation], spec=_configured(), choices=tagging.allowed(tenant_id))[0]
        ChatThread.objects.swap_title(thread_id, old=thread.name, new=found.title, add=found.tags, at=at)
    now: ChatThread | None = ChatThread.objects.filter(pk=thread_id).first()
    if now is None or (now.data or {}).get("tagged"):
        return now
    tags = tagging.merged(now.tags, tagging.by_rule(conversation))
    return ChatThread.objects.retitle(thread_id, name=now.name, tags=tags, at=at)


def _configured() -> llm.ModelSpec | None:
    """The model of `AI_TITLE_MODEL`; None, and a line in the log, where it is not there."""
    try:
        return model_spec(conf.current().title_model)
    except AIError as error:
        log.warning("AI_TITLE_MODEL: %s Titles follow the rule.", error.message)
        return None
