"""What is in a bundle: the tables, and each row as JSON and back."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, OuterRef, Q

from ai.exceptions import InvalidInput
from ai.models import (
    ApiKey,
    Assistant,
    AuditEntry,
    ChatThread,
    Chunk,
    Comment,
    CommentEvent,
    DataSource,
    Ending,
    Feedback,
    FeedbackEvent,
    FeedbackReceipt,
    ForeignId,
    Job,
    JobItem,
    Message,
    ModelRoute,
    Notification,
    Presence,
    RemoteConnection,
    ReviewEvent,
    ReviewItem,
    ReviewJudge,
    ReviewJudgement,
    ReviewPass,
    ReviewQueue,
    ReviewRubric,
    ReviewSlot,
    ReviewVerdict,
    Run,
    RunStep,
    SavedView,
    SearchDocument,
    SyncConflict,
    SyncedMessage,
    TenantMembership,
    ThreadSync,
    ThreadTag,
    VectorStore,
    VectorStoreBatch,
    VectorStoreFile,
    Webhook,
    WebhookDelivery,
)
from ai.models.review_items import ItemState
from ai.models.run_steps import StepStatus
from ai.models.runs import ACTIVE, RunStatus

Json = dict[str, Any]

#: What a row says of its tenant, of where its content is, of accounts, of secrets, of what nobody but its writer has seen yet, and of work
#: that goes on in this console.
LEFT_OUT = frozenset(
    {
        "tenant_id",
        "file",
        "encrypted_key",
        "draft",
        "job_id",
        "leased_by",
        "lease_until",
        "retry_at",
        "held_by",
        "held_until",
        "push_wanted_at",
        "push_after",
        "push_tries",
        "author_id",
        "assigned_to",
        "final_at",
        "suggest_at",
        "suggest_tries",
    }
)


#: Items that nobody reviews any more, whoever may take an answer back.
DONE_WITH = (ItemState.DECIDED, ItemState.GONE)

#: Items whose reviews are told apart: they are missing, or differ, and whoever reads them might answer after all.
BLIND = (ItemState.OPEN, ItemState.DISPUTED)

#: What a review says that nobody has given yet.
UNANSWERED: Json = dict.fromkeys(("reviewer", "reserved_until", "submitted_at", "rubric_version", "answers"))


#: What a reviewer is called who has an account in the console that the bundle is from.
STRANGER = "reviewer {} of another console"


@dataclass(frozen=True)
class Table:
    """A table of the bundle: its model, and what its rows are ordered by."""

    model: type[models.Model]
    order: tuple[str, ...] = ("pk",)
    has_own_key: bool = True

    @property
    def name(self) -> str:
        """The name of its file, without the ending."""
        return str(self.model._meta.model_name)

    @property
    def fields(self) -> list[Any]:
        """The columns that are in the bundle."""
        every = self.model._meta.concrete_fields
        return [f for f in every if f.attname not in LEFT_OUT and (self.has_own_key or not f.primary_key)]

    def rows(self, tenant_id: UUID, *, is_blind: bool) -> Any:
        """The tenant's rows in their order. Where it is blind, answers to what others may still review are told apart."""
        rows = self.model._base_manager.filter(tenant_id=tenant_id).order_by(*self.order)
        if self.model is ReviewSlot and is_blind:
            still_open = ReviewItem._base_manager.filter(pk=OuterRef("item_id"), state__in=BLIND)
            return rows.annotate(is_hidden=Exists(still_open) & Q(submitted_at__isnull=False))
        if self.model is ReviewItem and is_blind:
            # Its answers are hidden, so that they are still to be given; and that people differ is none of a reviewer's business.
            return rows.annotate(is_reopened=Q(state=ItemState.DISPUTED))
        if self.model is ReviewJudgement and is_blind:
            # What a judge said of an item that its reader may still review, or answer anew.
            return rows.filter(item_id__in=ReviewItem._base_manager.filter(state__in=DONE_WITH).values("pk"))
        return rows

    def to_json(self, row: Any) -> Json:
        """The row as JSON. An answer that is hidden has not been given."""
        said = {field.attname: _json(field.value_from_object(row)) for field in self.fields}
        if getattr(row, "is_reopened", False):
            said["state"] = str(ItemState.OPEN)
        return _ended(self.model, said | (UNANSWERED if getattr(row, "is_hidden", False) else {}))

    def from_json(self, said: Any, *, tenant_id: UUID) -> Any:
        """The row that `to_json` wrote, of this tenant whatever it says itself.

        Raises:
            InvalidInput: it is none.
        """
        names = {field.attname for field in self.fields}
        if not isinstance(said, dict) or not names.issuperset(said):
            raise InvalidInput(
                f"A row of {self.name} has columns that there are not: the bundle is of another version."
            )
        values = {field.attname: _value(field, said[field.attname]) for field in self.fields if field.attname in said}
        if str(values.get("reviewer") or "").isdigit():  # the number of an account, which is somebody else's here
            values["reviewer"] = STRANGER.format(values["reviewer"])
        return self.model(**values, tenant_id=tenant_id)


TABLES = (
    Table(Assistant),
    Table(ModelRoute),
    Table(RemoteConnection),
    Table(ForeignId),
    Table(DataSource),
    Table(ChatThread),
    Table(Message),
    Table(Run),
    Table(RunStep),
    Table(Feedback),
    Table(FeedbackEvent),
    Table(FeedbackReceipt),
    Table(Comment),
    Table(ThreadSync),
    Table(SyncedMessage, ("thread_id", "pk"), has_own_key=False),
    Table(SyncConflict),
    Table(ReviewQueue),
    Table(ReviewRubric),
    Table(ReviewItem),
    Table(ReviewSlot),
    Table(ReviewPass),
    Table(ReviewVerdict),
    Table(ReviewJudge),
    Table(ReviewJudgement),
    Table(VectorStore),
    Table(VectorStoreBatch),
    Table(VectorStoreFile),
    Table(Chunk, ("store_file_id", "index"), has_own_key=False),
)

#: Tenants' tables that are in no bundle, and why.
ELSEWHERE: Mapping[type[models.Model], str] = {
    ApiKey: "a secret",
    AuditEntry: "says what was done in this console",
    CommentEvent: "what deleted comments said",
    Ending: "work of this console",
    Job: "work of this console",
    JobItem: "work of this console",
    Notification: "for the people of this console",
    Presence: "who looks at this console now",
    ReviewEvent: "what people of this console may still take back",
    SavedView: "follows accounts, which belong to this console",
    SearchDocument: "follows from titles and messages",
    TenantMembership: "accounts belong to this console",
    ThreadTag: "follows from threads",
    Webhook: "a secret",
    WebhookDelivery: "work of this console",
}


def dumps(value: Any) -> bytes:
    """JSON on one line, the same for the same value."""
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode()


def _ended(model: type[models.Model], said: Json) -> Json:
    """The row as it is when what goes on has ended."""
    if model is Run and said["status"] in ACTIVE:
        said |= {"status": str(RunStatus.CANCELLED), "ended_at": said["ended_at"] or said["modified"]}
        said["required_action"] = None
    if model is RunStep and said["status"] == StepStatus.IN_PROGRESS:
        said |= {"status": str(StepStatus.CANCELLED), "ended_at": said["ended_at"] or said["modified"]}
    return said


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, UUID | Decimal | models.fields.files.FieldFile):
        return str(value)
    return value


def _value(field: Any, said: Any) -> Any:
    if said is None or isinstance(field, models.JSONField):
        return said
    try:
        if isinstance(field, models.BinaryField):
            return base64.b64decode(said, validate=True)
        return field.to_python(said)
    except (ValueError, TypeError, ValidationError) as error:
        raise InvalidInput(f"“{field.attname}” is not what it should be: {str(said)[:80]!r}.") from error
