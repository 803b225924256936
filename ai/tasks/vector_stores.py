"""Reading the files of vector stores. A message that comes twice, or too late, does nothing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from ai import dispatch
from ai.services import vector_store_reading


@shared_task(name=dispatch.READ_FILE)
def read(*, store_file_id: str, **later: Any) -> None:
    """Read one file."""
    vector_store_reading.read(store_file_id=UUID(store_file_id), now=timezone.now)


@shared_task(name=dispatch.READ_FILES)
def read_waiting(**later: Any) -> None:
    """Read waiting files until none is left."""
    vector_store_reading.read_waiting(now=timezone.now)
