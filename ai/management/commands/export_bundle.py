"""`manage.py export_bundle --tenant NAME FILE`: everything of a tenant in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ai import tenancy
from ai.exceptions import AIError
from ai.models import Tenant
from ai.services import actors
from ai.services.bundles import jobs


class Command(BaseCommand):
    """Writes a bundle; the same data makes the same bytes."""

    help = "Write everything of a tenant, files included, to one file that import_bundle reads. Secrets stay out."

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--tenant", required=True, help="the name of the tenant")

    def handle(self, *args: Any, file: Path, tenant: str, **options: Any) -> None:
        """Write the file, and say how much is in it."""
        try:
            with tenancy.everything(reason="manage.py export_bundle"):
                found = Tenant.objects.filter(name=tenant).first()
                if found is None:
                    raise CommandError(f"There is no tenant “{tenant}”.")
                with file.open("wb") as out:
                    manifest = jobs.write(tenant_id=found.pk, out=out, by=actors.SYSTEM, at=timezone.now())
        except AIError as error:
            raise CommandError(error.message) from error
        for name, entry in manifest["entries"].items():
            if entry["rows"]:
                self.stdout.write(f"{name:<26}{entry['rows']:>12,}")
        for key in manifest["missing_files"]:
            self.stderr.write(f"The content of the file {key} is gone from storage.")
