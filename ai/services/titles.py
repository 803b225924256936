"""Titles of threads: found by a rule, or by a model where one is set, and always fit to be shown."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from django.db import transaction

from ai import conf, dispatch, ids, llm, tenancy
from ai.exceptions import InvalidInput, NotFound
from ai.models import ChatThread, Job, JobItem, Message
from ai.models.jobs import JobStatus
from ai.models.threads import NEW_NAME
from ai.services import actors, audit, permissions
from ai.stores.content import text_of
from ai.stores.serialization import clean_text

log = logging.getLogger(__name__)

KIND = "retitle"
MOST_CHARACTERS = 60
MOST_THREADS = 10_000
MODEL_SECONDS = 20.0  # shorter than a worker's lease
READ_CHARACTERS = 2000

_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKUP = re.compile(r"[*`]+|~~|(?<!\w)_+|_+(?!\w)|^\s*(?:[#>|]+|(?:[-+•]|\d+[.)])\s)\s*", re.MULTILINE)
_GREETING = re.compile(
    r"^(?:(?:hi|hello|hey|dear|good (?:morning|afternoon|evening)|greetings)\b[^,.!?\n]{0,30}[,.!?\n]+|please\b,?)\s*",
    re.IGNORECASE,
)
_POLITE = re.compile(
    r"^(?:(?:can|could|would|will) you (?:please |kindly )?|i(?:'d| would) like to |please )", re.IGNORECASE
)
_SENTENCE = re.compile("(?<=[.!?\u3002\uff01\uff1f])\\s*(?=\\S)(?<![.!?])|(?<=[.!?])\\s+|\n")
_LABEL = re.compile(r"^(?:title|subject|topic)\s*:\s*", re.IGNORECASE)
_QUOTES = "\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb\u201e\u300c\u300d"
_ENDS = " .:;,-\u2013\u2014\u3002"


def tidy(text: str) -> str:
    """The text as a title: one line of at most 60 characters without quotes or markdown; empty when nothing is left."""
    line = _LINK.sub(r"\1", clean_text(text or ""))
    line = " ".join(_MARKUP.sub(" ", line).split())
    line = _LABEL.sub("", line.strip(_QUOTES + " ")).strip(_QUOTES + _ENDS)
    if len(line) <= MOST_CHARACTERS:
        return line
    cut = line[: MOST_CHARACTERS - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > MOST_CHARACTERS // 2 else cut).rstrip(_ENDS) + "…"


def by_rule(text: str) -> str:
    """A title from what a conversation began with: its first sentence, without the greeting."""
    prose = _CODE.sub(" ", text or "").strip() or (text or "").replace("`", " ")
    prose = _LINK.sub(r"\1", prose)
    shorter = _GREETING.sub("", prose, count=1).strip() or prose
    shorter = _POLITE.sub("", shorter, count=1).strip() or shorter
    sentences = [tidy(piece) for piece in _SENTENCE.split(shorter)]
    title = next((piece for piece in sentences if len(piece) > 2), "") or tidy(prose)
    return (title[:1].upper() + title[1:]) or NEW_NAME


def tags_for(text: str, tags: Iterable[str] | None) -> list[str]:
    """The thread's tags, and “code” where the conversation began with some."""
    kept = [str(tag) for tag in tags or []] or ["chat"]
    has_code = "```" in text or "Traceback (most recent call last)" in text
    return kept if not has_code or "code" in kept else [*kept, "code"]


def find(text: str) -> str:
    """The title for a conversation that began with `text`: the title model's, else the rule's."""
    alias = conf.current().title_model
    if alias and text.strip():
        try:
            title = async_to_sync(_by_spec)(llm.spec(alias), text)
        except Exception as error:  # noqa: BLE001 - a title is never worth a failure; the rule always has one
            log.warning("The title model %s gave no title: %s", alias, llm.translate(error).message)
        else:
            if title:
                return title
    return by_rule(text)


async def _by_spec(spec: llm.ModelSpec, text: str) -> str:
    try:
        return await by_model(text, model=llm.resolve(spec))
    finally:
        await llm.aclose()


async def by_model(text: str, *, model: Any) -> str:
    """The title that a `pydantic_ai.models.Model` finds through Marvin; empty when it is of no use."""
    import marvin

    told = "Write a title of at most six words in the conversation's language. No quotes, no markdown."

    @marvin.fn(instructions=told)  # type: ignore[arg-type]
    async def title_of_conversation(opening: str) -> str:  # type: ignore[empty-body]
        """A short title for the conversation that opens like this."""

    agent = marvin.Agent(name="Titles", model=model)
    async with asyncio.timeout(MODEL_SECONDS):
        found = await title_of_conversation(text[:READ_CHARACTERS], _agent=agent)
    title = tidy(str(found or ""))
    return title if any(character.isalnum() for character in title) else ""


def for_now(text: str, *, thread_id: UUID, tenant_id: UUID) -> tuple[str, bool]:
    """What a thread that begins with `text` is called, and whether that is its title for good.

    Where a model writes the titles it is not: a worker is asked for one when the transaction commits.
    """
    if not conf.current().title_model:
        return by_rule(text), True
    dispatch.title_thread(name=text, thread_id=thread_id, tenant_id=tenant_id)
    return ChatThread.objects.trim_message(text) or NEW_NAME, False


def opening_of(thread: ChatThread) -> str:
    """What the thread's user first wrote, else its first message, else what its metadata remembers."""
    messages: Any = Message.objects.list_thread_messages(thread.pk)
    first = messages.filter(role="user").first() or messages.first()
    text = text_of(first.message) if first else ""
    return text or str((thread.data or {}).get("snippet") or "")


def trim_and_tag(*, name: str, thread_id: UUID, tenant_id: UUID, at: datetime) -> ChatThread | None:
    """Give a new thread its title and tags; None when it is gone. A second time changes nothing.

    A title that somebody gave in the meantime stays.
    """
    thread: ChatThread | None = ChatThread.objects.filter(pk=thread_id, tenant_id=tenant_id).first()
    if thread is None or (thread.data or {}).get("tagged"):
        return thread
    given = {ChatThread.objects.trim_message(name or ""), NEW_NAME, "", None}
    title = find(name or opening_of(thread)) if thread.name in given else str(thread.name)
    return ChatThread.objects.retitle(thread_id, name=title, tags=tags_for(name or "", thread.tags), at=at)


@transaction.atomic
def request(*, thread_ids: Iterable[UUID], by: Any, at: datetime) -> Job:
    """Queue new titles for threads; the job's items will show the old and the new one.

    Raises:
        Forbidden.
        NotFound: none of the threads exists for `by`.
        InvalidInput: there are more than 10,000, or they are of several tenants and `by` does not see all tenants: such a
            job belongs to none of them.
    """
    permissions.require(by, "ai.retitle_chatthread")
    keys = list(dict.fromkeys(thread_ids))
    if len(keys) > MOST_THREADS:
        raise InvalidInput(f"Choose at most {MOST_THREADS:,} threads at a time.")
    threads = list(ChatThread.objects.filter(pk__in=keys).only("pk", "name", "tenant_id").latest_first())
    if not threads:
        raise NotFound
    tenants = {thread.tenant_id for thread in threads}
    if len(tenants) > 1 and tenancy.current().tenants is not None:
        raise InvalidInput("Choose threads of one tenant.")
    job = Job(
        kind=KIND,
        title=f"Retitle {len(threads):,} thread{'s' * (len(threads) != 1)}",
        total=len(threads),
        requested_by=actors.name_of(by),
        tenant_id=tenants.pop() if len(tenants) == 1 else None,
    )
    job.save(force_insert=True)
    JobItem.objects.add(
        JobItem(job_id=job.pk, tenant_id=t.tenant_id, position=i, object_id=str(t.pk), data={"old": t.name})
        for i, t in enumerate(threads)
    )
    audit.record("thread.retitle_requested", target=job, by=by, at=at, threads=len(threads))
    dispatch.run_job(job_id=job.pk)
    return job


def carry_on(*, job_id: UUID, worker: str, now: Callable[[], datetime]) -> None:
    """Work on a job of new titles until it ends, is cancelled, or is another worker's."""
    job = Job.objects.take(job_id, worker=worker, at=now())
    if job is None:
        return
    while items := JobItem.objects.next_of(job_id, most=50):
        for item in items:
            if not _retitle(job, item, now=now):
                return
    Job.objects.end(job_id, status=JobStatus.COMPLETED, at=now())


def _retitle(job: Job, item: JobItem, *, now: Callable[[], datetime]) -> bool:
    """One thread's new title; False when the job is no longer ours. The model is asked outside the transaction."""
    thread: ChatThread | None = ChatThread.objects.filter(pk=ids.parse(item.object_id)).first()
    title = find(opening_of(thread)) if thread else ""
    at = now()
    with transaction.atomic():
        if thread:
            ChatThread.objects.retitle(thread.pk, name=title, tags=list(thread.tags or []), at=at)
            settled = JobItem.objects.settle(item, status="done", at=at, data={"old": thread.name, "new": title})
        else:
            settled = JobItem.objects.settle(item, status="failed", at=at, data={}, error="The thread is gone.")
        mine = Job.objects.advance(job, done=int(settled and bool(thread)), failed=int(settled and not thread), at=at)
        if not mine:
            transaction.set_rollback(True)
    return mine
