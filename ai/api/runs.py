"""Runs over HTTP, polled or streamed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from ninja import Query, Router

from ai import conf
from ai.api import database, lookups, pages, stream
from ai.api.answers import documented, reply
from ai.api.auth import caller
from ai.api.bodies import Json
from ai.api.pages import ListAnswer, PageQuery
from ai.api.wire import runs as wire
from ai.api.wire import steps as step_wire
from ai.api.wire import threads as thread_wire
from ai.api.wire.base import given
from ai.events import StreamEvent
from ai.models import Assistant, ChatThread, Run
from ai.runner.loading import Work
from ai.services import assistant_runs, streams

router = Router(tags=["Runs"])

Prepared = tuple[Work, list[StreamEvent]]


@router.post("/runs", response=documented(wire.RunAnswer), operation_id="createThreadAndRun")
async def create_with_thread(request: HttpRequest, data: Json[wire.CreateThreadAndRun]) -> HttpResponseBase:
    """Make a thread and have an assistant answer it."""

    def make(worker: str) -> tuple[ChatThread, Run]:
        values, who = _values(data), caller(request)
        thread = given(data.thread) if data.thread else {}
        if resources := values.pop("tool_resources", None):
            thread["tool_resources"] = (thread.get("tool_resources") or {}) | resources
        values.pop("thread", None)
        return assistant_runs.create_with_thread(
            thread=thread, tenant_id=who.tenant_id, by=who.by, at=timezone.now(), worker=worker, **values
        )

    if not data.stream:
        return _to_poll(await reply(lambda: wire.run(make("")[1])))

    def prepare() -> Prepared:
        thread, run = make(streams.this_process())
        return streams.prepare(run, at=timezone.now()), [StreamEvent("thread.created", thread_wire.thread(thread))]

    return await _streamed(prepare)


@router.post("/{thread_id}/runs", response=documented(wire.RunAnswer), operation_id="createRun")
async def create(request: HttpRequest, thread_id: str, data: Json[wire.CreateRun]) -> HttpResponseBase:
    """Have an assistant answer a thread."""

    def make(worker: str) -> Run:
        thread: ChatThread = lookups.row(ChatThread.objects, "thread", thread_id)
        values = _values(data)
        if data.additional_messages:
            values["additional_messages"] = [given(message) for message in data.additional_messages]
        by = caller(request).by
        return assistant_runs.create(thread_id=thread.pk, by=by, at=timezone.now(), worker=worker, **values)

    if not data.stream:
        return _to_poll(await reply(lambda: wire.run(make(""))))
    return await _streamed(lambda: (streams.prepare(make(streams.this_process()), at=timezone.now()), []))


@router.get("/{thread_id}/runs", response=documented(ListAnswer[wire.RunAnswer]), operation_id="listRuns")
async def index(request: HttpRequest, thread_id: str, query: Query[PageQuery]) -> HttpResponse:
    """The thread's runs, the newest first."""

    def work() -> dict[str, Any]:
        return pages.read(_runs_of(thread_id), query, kind="run").body(wire.runs)

    return await reply(work)


@router.get("/{thread_id}/runs/{run_id}", response=documented(wire.RunAnswer), operation_id="getRun")
async def read(request: HttpRequest, thread_id: str, run_id: str) -> HttpResponse:
    """The run as it is now."""
    return _to_poll(await reply(lambda: wire.run(row_of(thread_id, run_id))))


@router.post("/{thread_id}/runs/{run_id}", response=documented(wire.RunAnswer), operation_id="modifyRun")
async def modify(request: HttpRequest, thread_id: str, run_id: str, data: Json[wire.ModifyRun]) -> HttpResponse:
    """Change the run's metadata."""

    def work() -> dict[str, Any]:
        row = row_of(thread_id, run_id)
        if data.metadata is None:
            return wire.run(row)
        who = caller(request)
        return wire.run(
            assistant_runs.modify(
                thread_id=_key(row), run_id=row.pk, metadata=data.metadata, by=who.by, at=timezone.now()
            )
        )

    return await reply(work)


@router.post("/{thread_id}/runs/{run_id}/cancel", response=documented(wire.RunAnswer), operation_id="cancelRun")
async def cancel(request: HttpRequest, thread_id: str, run_id: str) -> HttpResponse:
    """Cancel the run."""

    def work() -> dict[str, Any]:
        row = row_of(thread_id, run_id)
        who = caller(request)
        return wire.run(assistant_runs.cancel(thread_id=_key(row), run_id=row.pk, by=who.by, at=timezone.now()))

    return _to_poll(await reply(work))


@router.post(
    "/{thread_id}/runs/{run_id}/submit_tool_outputs",
    response=documented(wire.RunAnswer),
    operation_id="submitToolOuputsToRun",
)
async def submit_tool_outputs(
    request: HttpRequest, thread_id: str, run_id: str, data: Json[wire.SubmitToolOutputs]
) -> HttpResponseBase:
    """Answer the tool calls that the run waits for; it goes on."""

    def submit(worker: str) -> tuple[Run, dict[str, Any]]:
        row = row_of(thread_id, run_id)
        run, step = assistant_runs.submit_outputs(
            thread_id=_key(row),
            run_id=row.pk,
            outputs=[each.model_dump() for each in data.tool_outputs],
            by=caller(request).by,
            at=timezone.now(),
            worker=worker,
        )
        return run, step_wire.step(step, run)

    if not data.stream:
        return _to_poll(await reply(lambda: wire.run(submit("")[0])))

    def prepare() -> Prepared:
        run, step = submit(streams.this_process())
        return streams.prepare(run, at=timezone.now()), [StreamEvent("thread.run.step.completed", step)]

    return await _streamed(prepare)


def _values(data: wire.RunOptions) -> dict[str, Any]:
    """The request's values for the service, the assistant found."""
    values = given(data)
    values.pop("stream", None)
    values["assistant_id"] = lookups.row(Assistant.objects, "assistant", values["assistant_id"]).pk
    return values


def _runs_of(thread_id: str) -> Any:
    thread: ChatThread = lookups.row(ChatThread.objects, "thread", thread_id)
    return Run.objects.originals().filter(thread_id=str(thread.pk))


def row_of(thread_id: str, run_id: str) -> Run:
    """The thread's run. Raises `NotFound`."""
    run: Run = lookups.row(_runs_of(thread_id), "run", run_id)
    return run


def _key(run: Run) -> Any:
    return lookups.keys(str(run.thread_id))[0]


def _to_poll(response: HttpResponse) -> HttpResponse:
    """Tell clients that poll how soon to ask again: without it they wait for a second."""
    response.headers["openai-poll-after-ms"] = str(conf.current().poll_after_ms)
    return response


async def _streamed(prepare: Callable[[], Prepared]) -> HttpResponseBase:

    def warm_and_prepare() -> Prepared:
        streams.warm_up()
        return prepare()

    preparing = asyncio.ensure_future(database.run(warm_and_prepare))
    try:
        work, before = await asyncio.shield(preparing)
    except asyncio.CancelledError:  # the client has left, and the run is held by this process all the same
        preparing.add_done_callback(_unheard)
        raise
    return stream.answer(streams.open_stream(work, before=before, now=timezone.now))


def _unheard(preparing: asyncio.Future[Prepared]) -> None:
    """Execute what nobody listens to as if its client had left a little later."""
    if not preparing.cancelled() and preparing.exception() is None:
        streams.open_stream(preparing.result()[0], now=timezone.now).hang_up()
