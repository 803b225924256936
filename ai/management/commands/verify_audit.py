"""`manage.py verify_audit`: whether the audit log is as it was written."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ai.services import audit


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

    def handle(self, *args: Any, head: str | None, **options: Any) -> None:
        """Check, and say what was found."""
        audit.seal(at=timezone.now())
        verdict = audit.verify()
        if head and not audit.is_sealed_by(head):
            verdict.faults.append(
                "No seal has the digest that was kept: the end of the log is missing, or was changed."
            )
        if verdict.faults:
            self.stdout.write("\n".join(verdict.faults))
            raise CommandError("The audit log is not as it was written.")
        self.stdout.write(f"{verdict.sealed:,} entries are sealed, and as they were written.")
        if verdict.unsealed:
            self.stdout.write(f"{verdict.unsealed:,} more have no seal yet: a worker seals them within seconds.")
        if verdict.sealed:
            self.stdout.write(f"The newest seal: {verdict.head}")
