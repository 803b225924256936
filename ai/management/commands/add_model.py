"""Adds a language model under an alias, or brings it up to date."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ai.exceptions import AIError
from ai.models.language_models import PROVIDERS
from ai.services import actors, language_models


class Command(BaseCommand):
    """`manage.py add_model fast --provider openai --model gpt-4o-mini`."""

    help = "Add a language model under an alias, or bring the one of this alias up to date."

    def add_arguments(self, parser: CommandParser) -> None:
        """The model's fields."""
        parser.add_argument("alias", help="what people choose, such as fast")
        parser.add_argument("--provider", required=True, choices=[key for key, _ in PROVIDERS])
        parser.add_argument("--model", required=True, help="the provider's own name of the model")
        parser.add_argument("--base-url", default="", help="where the server is, such as http://127.0.0.1:8080/v1")
        parser.add_argument("--api-key-env", default="", help="the environment variable that holds the key")
        parser.add_argument("--api-version", default="", help="Azure only")
        parser.add_argument("--model-settings", default="", help='JSON, such as {"temperature": 0.2}')
        parser.add_argument("--context-window", type=int, help="in tokens")
        parser.add_argument("--input-price", type=Decimal, help="US$ per million prompt tokens")
        parser.add_argument("--output-price", type=Decimal, help="US$ per million completion tokens")
        parser.add_argument("--cached-price", type=Decimal, help="US$ per million cached prompt tokens")

    def handle(self, *args: Any, **options: Any) -> None:
        """Add or update, and say which."""
        more = {
            name: options[name]
            for name in ("api_version", "context_window", "input_price", "output_price", "cached_price")
            if options[name] not in (None, "")
        }
        try:
            if options["model_settings"]:
                more["settings"] = json.loads(options["model_settings"])
            names = ("alias", "provider", "model", "base_url", "api_key_env")
            given = {name: options[name] for name in names}
            row, new = language_models.add(**given, **more, by=actors.SYSTEM, at=timezone.now())
        except json.JSONDecodeError as error:
            raise CommandError(f"--model-settings is no JSON: {error}") from error
        except AIError as error:
            raise CommandError(error.message) from error
        status = language_models.key_status(row)
        self.stdout.write(f"{'Added' if new else 'Updated'} {row.alias}: {row.get_provider_display()} {row.model}.")
        if status == "missing":
            where = f"set {row.api_key_env}" if row.api_key_env else "give --api-key-env, or store a key in the admin"
            self.stdout.write(self.style.WARNING(f"It has no API key yet: {where}."))
