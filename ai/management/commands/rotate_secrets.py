"""Encrypts stored keys again under the newest secret."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ai.exceptions import AIError
from ai.services import actors, language_models


class Command(BaseCommand):
    """`manage.py rotate_secrets`, after a new key was put first in `AI_SECRETS_KEY`."""

    help = "Encrypt every stored provider key again under the first key of AI_SECRETS_KEY."

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate, and say how many there were."""
        try:
            count = language_models.rotate_secrets(by=actors.SYSTEM, at=timezone.now())
        except AIError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{count} key{'s' * (count != 1)} encrypted under the newest secret.")
