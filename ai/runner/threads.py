"""Having a model answer a thread from Python, without HTTP: stored, shown live and told to handlers like any other run."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from contextvars import copy_context
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync, sync_to_async
from django.db import connections, transaction
from django.utils import timezone

from ai import conf, llm
from ai.events import StreamEvent
from ai.exceptions import NotFound
from ai.models import ChatThread, Run
from ai.runner import carrier, loading
from ai.runner.handlers import Handler, follow
from ai.runner.loading import Work
from ai.runner.streams import Stream

Json = dict[str, Any]

WORKER = "python"


class ThreadRunner:
    """One answer of a model to a thread. `run` is its row, once it has begun.

    Use one of `until_done`, `stream` and `stream_sync`, once.
    """

    def __init__(
        self,
        thread: ChatThread | UUID | str,
        *,
        model: str,
        instructions: str = "",
        tools: Sequence[Json] = (),
        settings: Mapping[str, Any] | None = None,
        metadata: Mapping[str, str] | None = None,
        handlers: Sequence[Handler] = (),
        now: Callable[[], datetime] = timezone.now,
    ) -> None:
        """
        Args:
            thread: one in scope, or its id.
            model: an alias, or provider:model.
            tools: function tools as OpenAI has them; registered functions are called, others end the run in
                `requires_action`.
            settings: the Assistants API's: temperature, max_completion_tokens, response_format, …
        """
        self.handlers = list(handlers)
        self.run: Run | None = None
        self._thread, self._model, self._instructions = thread, model, instructions
        self._tools, self._settings, self._metadata, self._now = tools, settings or {}, metadata or {}, now

    async def stream(self) -> AsyncGenerator[StreamEvent, None]:
        """The run's events as they come, each told to the handlers first; for code on an event loop that goes on.

        Raises:
            NotFound: there is no such thread.
            ThreadBusy: it has an active run.
        """
        work = await sync_to_async(self._begin)()
        told = Stream(carrier.of_this_loop(now=self._now), work)
        async with aclosing(follow(told.events(), self.handlers)) as events:
            async for event in events:
                yield event

    def until_done(self) -> Run:
        """Run to the end, or until the client has to answer; the row as it is then. What happens is told to the handlers.

        Raises:
            NotFound, ThreadBusy.
        """
        work = self._begin()
        async_to_sync(self._to_the_end)(work, lambda _: None)
        work.run.refresh_from_db()
        return work.run

    def stream_sync(self) -> Iterator[StreamEvent]:
        """The run's events as they come, for code without an event loop. Not inside a transaction: the run is executed by
        another thread, which would not see it.

        Raises:
            NotFound, ThreadBusy.
        """
        work = self._begin()
        told: queue.SimpleQueue[StreamEvent | BaseException | None] = queue.SimpleQueue()
        context = copy_context()
        thread = threading.Thread(target=lambda: context.run(self._in_thread, work, told), name="ai-run", daemon=True)
        thread.start()
        while (event := told.get()) is not None:
            if isinstance(event, BaseException):
                raise event
            yield event
        thread.join()

    def _in_thread(self, work: Work, told: queue.SimpleQueue[StreamEvent | BaseException | None]) -> None:
        try:
            asyncio.run(self._to_the_end(work, told.put))
        except BaseException as error:  # noqa: BLE001 - raised by whoever listens
            told.put(error)
        finally:
            connections.close_all()
            told.put(None)

    async def _to_the_end(self, work: Work, tell: Callable[[StreamEvent], None]) -> None:
        """On an event loop that ends with the run."""
        own = carrier.Carrier(now=self._now)
        own.open()
        try:
            async for event in follow(Stream(own, work).events(), self.handlers):
                tell(event)
        finally:
            await own.close()
            await llm.aclose()

    def _begin(self) -> Work:
        found = self._thread
        thread_id = found.pk if isinstance(found, ChatThread) else found
        with transaction.atomic():
            self.run = run = self._held(thread_id, at=self._now())
        return loading.load([run])[0]

    def _held(self, thread_id: UUID | str, *, at: datetime) -> Run:
        thread = ChatThread.objects.locked(thread_id)
        if thread is None:
            raise NotFound(f"No thread found with id '{thread_id}'.")
        if busy := Run.objects.active_on(thread.pk, at=at):
            raise Run.objects.refusal(busy)
        run = Run(
            thread_id=str(thread.pk),
            tenant_id=thread.tenant_id,
            requested_by=WORKER,
            model=self._model,
            instructions=self._instructions,
            tools=list(self._tools),
            settings=dict(self._settings),
            metadata=dict(self._metadata),
            history_until=thread.last_sequence,
            created=at,
            expires_at=at + timedelta(seconds=conf.current().run_max_seconds),
        )
        return Run.objects.hold(run, worker=WORKER, at=at)
