"""`manage.py verify_audit`: whether the audit log is as it was written; with `--file` an exported one."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ai.services import audit, audit_files


class Command(BaseCommand):
    """Follows the chain of seals; fails when an entry was changed or removed."""

    help = "Check that no entry of the audit log was changed or removed, and print the digest of its newest seal."

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument(
            "--head",
            metavar="DIGEST",
            help="a digest printed earlier and kept elsewhere: shows whether the end is missing",
        )
        parser.add_argument(
            "--file",
            type=Path,
            help="check this export of the log (JSONL, also compressed) instead; the database is not asked",
        )
        parser.add_argument(
            "--whole", action="store_true", help="with --file: the file is to have every entry, of all tenants"
        )

    def handle(self, *args: Any, head: str | None, file: Path | None, whole: bool, **options: Any) -> None:
        """Check, and say what was found."""
        if file is not None:
            self._file(file, head=head or "", whole=whole)
            return
        audit.seal(at=timezone.now())
        verdict = audit.verify()
        if head and not audit.is_sealed_by(head):
            verdict.faults.append(
                "No seal has the digest that was kept: the end of the log is missing, or was changed."
            )
        self._refuse(verdict.faults)
        self.stdout.write(f"{verdict.sealed:,} entries are sealed, and as they were written.")
        if verdict.unsealed:
            self.stdout.write(f"{verdict.unsealed:,} more have no seal yet: a worker seals them within seconds.")
        if verdict.sealed:
            self.stdout.write(f"The newest seal: {verdict.head}")

    def _file(self, file: Path, *, head: str, whole: bool) -> None:
        try:
            with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
                report = audit_files.verify(lines, head=head, whole=whole)
        except (OSError, EOFError, zlib.error) as error:
            raise CommandError(f"{file} cannot be read: {error}") from error
        self._refuse(report.faults)
        self.stdout.write(f"{report.sealed:,} entries are as they were written.")
        if report.alone:
            self.stdout.write(
                f"{report.alone:,} of them stand alone: no entry next to them is in the file, so only their own digests "
                "speak for them. An unfiltered export, or `verify_audit` on the database, proves more."
            )
        if report.absent:
            self.stdout.write(
                f"{report.absent:,} between the first and the last are not in the file: "
                "of other tenants, or left out by its filter."
            )
        if report.unsealed:
            self.stdout.write(f"{report.unsealed:,} had no seal yet: nothing is known of them.")
        if report.sealed:
            self.stdout.write(f"The newest seal: {report.head}")

    def _refuse(self, faults: list[str]) -> None:
        if faults:
            self.stdout.write("\n".join(faults))
            raise CommandError("The audit log is not as it was written.")
