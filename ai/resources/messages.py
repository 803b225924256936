"""Messages as CSV; their threads are here already."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError

from ai.models import ChatThread, Message
from ai.models.rewriting import recount_messages
from ai.resources.base import CsvResource, in_parts, key_of
from ai.services.tables import MESSAGES


class MessageResource(CsvResource):
    """Found by id, or by thread and external id. A new one without a number comes after the thread's last."""

    table = MESSAGES
    natural = ("thread_id", "external_id")
    fixed = CsvResource.fixed | {"thread_id", "sequence"}

    class Meta(CsvResource.Meta):
        model = Message

    def prepare(self, rows: list[dict[str, str]]) -> None:
        """The threads that the rows name."""
        keys = filter(None, (key_of(row.get("thread_id")) for row in rows))
        found = (
            ChatThread.objects.filter(pk__in=part).only("pk", "tenant_id", "last_sequence") for part in in_parts(keys)
        )
        self._threads = {str(thread.pk): thread for part in found for thread in part}

    def value(self, row: Any, attribute: str) -> Any:
        """The same for every form of a thread's id."""
        found = super().value(row, attribute)
        return (key_of(found) or found) if attribute == "thread_id" else found

    def check(self, instance: Any, *, is_new: bool) -> None:
        """A message says something, in a thread of its tenant."""
        if not isinstance(instance.message, dict):
            raise ValidationError({"message": "Write the message as a JSON object in OpenAI's chat format."})
        if not is_new:
            instance.derive()
            return
        thread = self._threads.get(str(key_of(instance.thread_id)))
        if thread is None or thread.tenant_id != instance.tenant_id:
            raise ValidationError({"thread_id": "There is no such thread; import threads before their messages."})
        instance.thread_id = str(thread.pk)
        thread.last_sequence = max(instance.sequence or 0, thread.last_sequence + (not instance.sequence))
        instance.sequence = instance.sequence or thread.last_sequence
        instance.derive()
        instance.clean_fields()

    def create(self, rows: list[Any]) -> None:
        """Write new messages, and count them."""
        super().create(rows)
        recount_messages(UUID(row.thread_id) for row in rows)
