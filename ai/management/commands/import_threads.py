"""`manage.py import_threads FILE`: bring conversations in from a file or folder of any known format."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ai import conf, tenancy
from ai.exceptions import AIError
from ai.models import Tenant
from ai.services import actors
from ai.services.imports import columns, formats, loading
from ai.services.imports.reports import Report, plural

PROGRESS_SECONDS = 0.2
COLUMNS = ("new", "unchanged", "refused")


class Command(BaseCommand):
    """Imports threads with all that belongs to them; the same again changes nothing."""

    help = "Import conversations from files of other systems. Ids are kept; the same again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("path", type=Path, metavar="FILE", help="a file, a zip, or a folder of such")
        choices = [formats.AUTO, *formats.FORMATS]
        parser.add_argument(
            "--format",
            dest="format_",
            choices=choices,
            default=formats.AUTO,
            help="found by content where it is not given",
        )
        parser.add_argument("--tenant", help="the name of the tenant that gets them; needed where there are several")
        parser.add_argument(
            "--map",
            dest="mapped",
            action="append",
            default=[],
            metavar="COLUMN=FIELD",
            help="read a column of a CSV file as this field (empty: leave it out); fields: " + ", ".join(columns.MAIN),
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would be imported")

    def handle(
        self,
        *args: Any,
        path: Path,
        format_: str,
        tenant: str | None,
        mapped: list[str],
        dry_run: bool,
        **options: Any,
    ) -> None:
        """Import, and print counts and whatever was refused."""
        self._shown_at = 0.0
        report = Report(on_refusal=self._refused, on_progress=self._progress)
        try:
            with tenancy.everything(reason="manage.py import_threads"):
                loading.load(
                    path=path,
                    format_=format_,
                    tenant_id=_tenant(tenant),
                    by=actors.SYSTEM,
                    at=timezone.now(),
                    report=report,
                    dry_run=dry_run,
                    read_as=dict(map(_mapped, mapped)),
                )
        except AIError as error:
            raise CommandError(error.message) from error
        except KeyboardInterrupt:
            self._print(report, dry_run=dry_run)
            raise CommandError("Interrupted. What is counted above is complete; the same command goes on.") from None
        self._print(report, dry_run=dry_run)
        refused = report.refused.total()
        if refused:
            raise CommandError(f"{refused:,} refused; everything else is as counted above.")

    def _refused(self, refusal: Any) -> None:
        self._line(f"Refused: {refusal}")

    def _line(self, text: str) -> None:
        """A line of its own, over the progress if that is shown."""
        clear = "\r\x1b[K" if self.stdout.isatty() else ""
        self.stdout.write(f"{clear}{text}")

    def _progress(self, report: Report) -> None:
        now = time.monotonic()
        if self.stdout.isatty() and now - self._shown_at >= PROGRESS_SECONDS:
            self._shown_at = now
            done = report.new["message"] + report.unchanged["message"]
            self.stdout.write(f"\r\x1b[K{report.read:,} objects read, {done:,} messages imported", ending="")
            self.stdout.flush()

    def _print(self, report: Report, *, dry_run: bool) -> None:
        counts = report.counts()
        self._line(f"{'':<12}" + "".join(f"{column:>12}" for column in COLUMNS))
        for kind, numbers in counts.items():
            self.stdout.write(f"{plural(kind):<12}" + "".join(f"{numbers[column]:>12,}" for column in COLUMNS))
        if report.files:
            self.stdout.write(
                f"The dump describes {report.files:,} file{'s' * (report.files != 1)} without their contents: "
                "names and sizes are kept where messages refer to them."
            )
        if dry_run:
            self.stdout.write("Nothing was written: this was a dry run.")


def _mapped(text: str) -> tuple[str, str]:
    """A column and its field; names of columns may have a “=” of their own."""
    column, equals, field = text.rpartition("=")
    if not equals:
        raise CommandError(f"Write --map COLUMN=FIELD, not “{text}”.")
    return column.strip(), field.strip()


def _tenant(name: str | None) -> UUID:
    """The tenant of this name; without one the default tenant, or the only one that there is."""
    if name:
        found = Tenant.objects.filter(name=name).first()
        if found is None:
            raise CommandError(f"There is no tenant “{name}”. {_advice()}")
        return UUID(str(found.pk))
    default = conf.current().default_tenant_id
    if default:
        return default
    tenants = list(Tenant.objects.order_by("name")[:2])
    if len(tenants) != 1:
        raise CommandError(f"Say whose conversations these are with --tenant NAME. {_advice()}")
    return UUID(str(tenants[0].pk))


def _advice() -> str:
    names = list(Tenant.objects.order_by("name").values_list("name", flat=True)[:20])
    if not names:
        return "There is none yet: add one under Tenants."
    return f"There are: {', '.join(names)}."
