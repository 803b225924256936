"""Run steps over HTTP."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from ai.api import lookups, pages
from ai.api.answers import documented, reply
from ai.api.pages import ListAnswer, PageQuery
from ai.api.runs import row_of
from ai.api.wire import steps as wire
from ai.models import RunStep

router = Router(tags=["Runs"])

STEPS = "/{thread_id}/runs/{run_id}/steps"
BY_INDEX = ("index", "pk")


class IncludeQuery(Schema):
    """What an answer holds besides."""

    include: list[str] = Field([], alias="include[]")

    @property
    def content(self) -> bool:
        """Whether the texts that searches found are wanted."""
        return wire.RESULTS_CONTENT in self.include


class StepsQuery(PageQuery, IncludeQuery):
    """Which page of steps, and what it holds besides."""


@router.get(STEPS, response=documented(ListAnswer[wire.StepAnswer]), operation_id="listRunSteps")
async def index(request: HttpRequest, thread_id: str, run_id: str, query: Query[StepsQuery]) -> HttpResponse:
    """The run's steps, the newest first."""

    def work() -> dict[str, Any]:
        run = row_of(thread_id, run_id)
        page = pages.read(RunStep.objects.filter(run_id=run.pk), query, kind="step", by=BY_INDEX)
        return page.body(lambda rows: wire.steps(rows, run, with_content=query.content))

    return await reply(work)


@router.get(f"{STEPS}/{{step_id}}", response=documented(wire.StepAnswer), operation_id="getRunStep")
async def read(
    request: HttpRequest, thread_id: str, run_id: str, step_id: str, query: Query[IncludeQuery]
) -> HttpResponse:
    """The step."""

    def work() -> dict[str, Any]:
        run = row_of(thread_id, run_id)
        row: RunStep = lookups.row(RunStep.objects.filter(run_id=run.pk), "step", step_id)
        return wire.step(row, run, with_content=query.content)

    return await reply(work)
