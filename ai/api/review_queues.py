"""Review queues over HTTP: making and filling them, how far they are, and the answers that came of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router

from ai.api import lookups, pages
from ai.api.answers import documented, reply
from ai.api.auth import caller
from ai.api.bodies import Json
from ai.api.pages import ListAnswer, PageQuery
from ai.api.wire import review_queues as wire
from ai.api.wire.base import given
from ai.exceptions import InvalidInput
from ai.models import ChatThread, Message, ReviewQueue, Run
from ai.models.reviews import ReviewUnit
from ai.services import review_answers
from ai.services.reviews import queues
from ai.services.selections import Selection

router = Router(tags=["Review queues"])

BY_POSITION = ("position",)
MODELS: dict[str, Any] = {"thread": ChatThread, "message": Message, "run": Run}


@router.get("", response=documented(ListAnswer[wire.ReviewQueueAnswer]), operation_id="listReviewQueues")
async def index(request: HttpRequest, query: Query[PageQuery]) -> HttpResponse:
    """The tenant's review queues, the newest first. Keys with the scope `read` or `reviews`."""
    return await reply(lambda: pages.read(ReviewQueue.objects.all(), query, kind="review_queue").body(wire.queues))


@router.post("", response=documented(wire.ReviewQueueAnswer), operation_id="createReviewQueue")
async def create(request: HttpRequest, data: Json[wire.CreateReviewQueue]) -> HttpResponse:
    """A new, empty queue that is open. Keys with the scope `reviews`."""

    def work() -> dict[str, Any]:
        who = caller(request)
        asked = [question.model_dump(exclude_none=True) for question in data.questions]
        values = {**given(data), "questions": asked}
        return wire.queues([queues.make(**values, tenant_id=who.tenant_id, by=who.by, at=timezone.now())])[0]

    return await reply(work)


@router.get("/{review_queue_id}", response=documented(wire.ReviewQueueDetail), operation_id="getReviewQueue")
async def read(request: HttpRequest, review_queue_id: str) -> HttpResponse:
    """The queue with its progress; with the scope `reviews` also how far reviewers agree, and the rates of their answers."""

    def work() -> dict[str, Any]:
        leads = caller(request).by.has_perm("ai.change_reviewqueue")
        return wire.queue(_row(review_queue_id), leads=leads, at=timezone.now())

    return await reply(work)


@router.post("/{review_queue_id}", response=documented(wire.ReviewQueueAnswer), operation_id="modifyReviewQueue")
async def modify(request: HttpRequest, review_queue_id: str, data: Json[wire.ModifyReviewQueue]) -> HttpResponse:
    """Open, pause or close the queue. Keys with the scope `reviews`."""

    def work() -> dict[str, Any]:
        key = _row(review_queue_id).pk
        moved = queues.move(queue_id=key, state=data.state, by=caller(request).by, at=timezone.now())
        return wire.queues([moved])[0]

    return await reply(work)


@router.post("/{review_queue_id}/items", response=documented(wire.FillAnswer), operation_id="fillReviewQueue")
async def fill(request: HttpRequest, review_queue_id: str, data: Json[wire.FillReviewQueue]) -> HttpResponse:
    """Add things to review, at most 1,000 at once: all of them or, where one is not there, none. Keys with the scope `reviews`."""

    def work() -> dict[str, Any]:
        row = _row(review_queue_id)
        chosen = Selection.of_ids(queues.NOUNS[ReviewUnit(row.unit)], _keys(row.unit, data))
        added = queues.fill(queue_id=row.pk, selection=chosen, by=caller(request).by, at=timezone.now())
        return {"object": "review_queue.filling", "review_queue_id": wire.queues([row])[0]["id"], "added": added}

    return await reply(work)


def _keys(unit: str, data: wire.FillReviewQueue) -> list[UUID]:
    """The keys of what is to be reviewed.

    Raises:
        InvalidInput: ids are missing, or of something else than the queue is for.
        NotFound: one of them leads nowhere.
    """
    kind = wire.KINDS[unit]
    wanted = f"{kind}_ids"
    said = given(data)
    if set(said) != {wanted}:
        raise InvalidInput(f"This queue is for {kind}s: give {wanted}, and nothing else.", param=wanted)
    texts: list[str] = said[wanted]
    candidates = {text: lookups.keys(text) for text in texts}
    rows = MODELS[kind].objects.filter(pk__in=[key for keys in candidates.values() for key in keys])
    if unit == ReviewUnit.REPLAY:
        rows = rows.filter(replay_of_thread__isnull=False)
    there = set(rows.values_list("pk", flat=True))
    found = []
    for text, keys in candidates.items():
        here = [key for key in keys if key in there]
        if not here:
            raise lookups.missing(kind, text)
        found.append(here[0])
    return found


@router.get(
    "/{review_queue_id}/items", response=documented(ListAnswer[wire.ReviewItemAnswer]), operation_id="listReviewItems"
)
async def items(request: HttpRequest, review_queue_id: str, query: Query[wire.ReviewItemQuery]) -> HttpResponse:
    """The queue's items and where each stands. That reviewers disagree tells each of them what the other said, so it takes the
    scope `reviews`.
    """

    def work() -> dict[str, Any]:
        row = _row(review_queue_id)
        found = review_answers.items(queue_id=row.pk, by=caller(request).by)
        if query.state:
            found = found.filter(state=query.state)
        page = pages.read(found, query, kind="review_item", by=BY_POSITION)
        return page.body(lambda rows: wire.items(rows, unit=row.unit))

    return await reply(work)


@router.get(
    "/{review_queue_id}/answers", response=documented(ListAnswer[wire.AnswersAnswer]), operation_id="listReviewAnswers"
)
async def answers(request: HttpRequest, review_queue_id: str, query: Query[PageQuery]) -> HttpResponse:
    """What was answered, item by item: the answers that count, and each reviewer's own. Only of items that are settled, which
    is when all reviews are there and agree or somebody has decided; nothing is told of the others, whatever the key's
    scopes. Keys with the scope `reviews`.
    """

    def work() -> dict[str, Any]:
        row = _row(review_queue_id)
        found = review_answers.settled(queue_id=row.pk, by=caller(request).by)
        page = pages.read(found, query, kind="review_item", by=BY_POSITION)
        return page.body(lambda rows: wire.answers(rows, unit=row.unit))

    return await reply(work)


def _row(review_queue_id: str) -> ReviewQueue:
    row: ReviewQueue = lookups.row(ReviewQueue.objects, "review_queue", review_queue_id)
    return row
