"""`manage.py flush`, which also empties the audit log: nothing else may."""

from __future__ import annotations

from typing import Any

from django.core.management.commands.flush import Command as Flush
from django.db import connections

from ai.models import kept


class Command(Flush):
    """Django's own, with the log's protection lifted while it works."""

    def handle(self, **options: Any) -> None:
        """Empty the database."""
        with kept.lifted(connections[options["database"]]):
            super().handle(**options)
