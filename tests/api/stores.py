"""Vector stores as the tests of their operations make them."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from ai.models import DataSource
from ai.services import vector_store_reading
from tests.api.calling import Caller

REFUNDS = "A refund is paid within fourteen days."


def upload(text: str = REFUNDS, name: str = "refunds.txt") -> str:
    """The id of a new file of the tenant in scope."""
    return str(DataSource.objects.add_file(text.encode(), name).file_id)


def read_all() -> None:
    """Do what a worker does."""
    vector_store_reading.read_waiting(now=timezone.now)


def made(caller: Caller, **body: Any) -> Any:
    """A new store's id."""
    return caller.post("/vector_stores", body).data["id"]
