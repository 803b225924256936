"""`manage.py load_demo`: conversations to look around in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ai.exceptions import AIError
from ai.services import actors, demo


class Command(BaseCommand):
    """Loads the demo conversations."""

    help = "Load the demo conversations: two tenants, about fifty threads."

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("--if-empty", action="store_true", help="do nothing when there is data already")
        parser.add_argument("--folder", type=Path, default=Path(settings.BASE_DIR, "fixtures", "demo"))

    def handle(self, *args: Any, folder: Path, if_empty: bool, **options: Any) -> None:
        """Load them."""
        try:
            loaded = demo.load(folder=folder, by=actors.SYSTEM, at=timezone.now(), only_if_empty=if_empty)
        except AIError as error:
            raise CommandError(error.message) from error
        if loaded is None:
            self.stdout.write("There is data already; nothing was loaded.")
        else:
            self.stdout.write(
                f"Loaded {loaded.threads} threads with {loaded.messages} messages of {loaded.tenants} tenants."
            )
