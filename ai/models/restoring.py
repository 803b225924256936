"""Writing rows as they were in another console, with what follows from them: tags, and what searches look in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ai.models.chunks import Chunk
from ai.models.messages import Message
from ai.models.threads import ChatThread


def restore(rows: Sequence[Any]) -> None:
    """Write complete new rows of one table.

    Raises:
        IntegrityError: one of them is here already.
    """
    model = type(rows[0])
    if model is ChatThread:
        ChatThread.objects.insert(*rows)
    elif model is Message:
        Message.objects.insert(rows)
    elif model is Chunk:
        Chunk.objects.write(rows)
    else:
        model._base_manager.bulk_create(rows, batch_size=500)
