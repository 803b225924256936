"""Makes a key for the HTTP API useless."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ai import tenancy
from ai.exceptions import AIError
from ai.services import actors, api_keys


class Command(BaseCommand):
    """`manage.py revoke_api_key mc-Ab12CdE`."""

    help = "Make a key for the HTTP API useless from now on."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which key."""
        parser.add_argument("key", metavar="PREFIX_OR_ID", help="how it begins, as the admin shows it, or its id")

    def handle(self, *args: Any, **options: Any) -> None:
        """Revoke it, and say so."""
        try:
            with tenancy.everything(reason="manage.py revoke_api_key"):
                key = api_keys.find(options["key"])
                key = api_keys.revoke(key_id=key.pk, by=actors.SYSTEM, at=timezone.now())
        except AIError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Revoked {key}.")
