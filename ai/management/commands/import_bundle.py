"""`manage.py import_bundle FILE`: make the tenant that export_bundle wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ai import tenancy
from ai.exceptions import AIError
from ai.services import actors
from ai.services.bundles import jobs


class Command(BaseCommand):
    """Reads a bundle: all of it becomes a tenant, or nothing does."""

    help = "Make the tenant of a bundle, with everything that is in it. The tenant must not be here already."

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        """Read the file, and say what came of it."""
        try:
            with tenancy.everything(reason="manage.py import_bundle"), file.open("rb") as opened:
                tenant, manifest = jobs.read(file=opened, by=actors.SYSTEM, at=timezone.now())
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
        except AIError as error:
            raise CommandError(error.message) from error
        rows = sum(entry["rows"] for entry in manifest["entries"].values())
        self.stdout.write(f"The tenant “{tenant.name}” is here, with {rows:,} rows.")
