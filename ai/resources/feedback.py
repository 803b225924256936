"""Feedback as CSV; the messages it is about are here already."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from ai.models import Feedback, Message
from ai.models.feedback import FeedbackState
from ai.models.rewriting import recount_feedback
from ai.resources.base import CsvResource, in_parts, key_of
from ai.services.tables import FEEDBACK


class FeedbackResource(CsvResource):
    """Found by id, or by message and user."""

    table = FEEDBACK
    natural = ("user_id", "message_id")
    fixed = CsvResource.fixed | {"thread_id", "message_id", "user_id"}

    class Meta(CsvResource.Meta):
        model = Feedback

    def prepare(self, rows: list[dict[str, str]]) -> None:
        """The messages that the rows name."""
        keys = filter(None, (key_of(row.get("message_id")) for row in rows))
        found = (
            Message.objects.filter(pk__in=part).values_list("pk", "thread_id", "tenant_id") for part in in_parts(keys)
        )
        self._messages = {key: (thread_id, tenant_id) for part in found for key, thread_id, tenant_id in part}

    def check(self, instance: Any, *, is_new: bool) -> None:
        """Feedback is about a message of its tenant."""
        thread_id, tenant_id = self._messages.get(instance.message_id, (None, None))
        if is_new and (thread_id is None or tenant_id != instance.tenant_id):
            raise ValidationError({"message_id": "There is no such message; import messages before feedback."})
        if is_new:
            instance.thread_id = key_of(thread_id)
        if instance.state == FeedbackState.ASSIGNED and not instance.assignee:
            raise ValidationError({"assignee": "Say to whom it is assigned."})
        if instance.state == FeedbackState.SNOOZED and instance.snoozed_until is None:
            raise ValidationError({"snoozed_until": "Say until when it is snoozed."})
        if not (isinstance(instance.labels, list) and all(isinstance(label, str) for label in instance.labels)):
            raise ValidationError({"labels": "Write a list of texts as JSON."})
        instance.clean_fields()

    def create(self, rows: list[Any]) -> None:
        """Write new feedback, and the threads' thumbs."""
        super().create(rows)
        recount_feedback(row.thread_id for row in rows)
