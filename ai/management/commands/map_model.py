"""Decides which model a tenant's clients get when they ask for one by name."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ai import tenancy
from ai.exceptions import AIError
from ai.models import Tenant
from ai.services import actors, model_routes


class Command(BaseCommand):
    """`manage.py map_model 'gpt-4*' fast --tenant Northwind`."""

    help = "Send a model's name that clients ask for to a model of your choice."

    def add_arguments(self, parser: CommandParser) -> None:
        """From where to where, and whose."""
        parser.add_argument("pattern", help="a model's name as clients send it; a * at the end stands for any ending")
        parser.add_argument("alias", help="an alias of a language model, or provider:model")
        parser.add_argument("--tenant", required=True, help="whose clients")

    def handle(self, *args: Any, **options: Any) -> None:
        """Set the line of the map, and show it."""
        tenant = Tenant.objects.filter(name=options["tenant"]).first()
        if tenant is None:
            raise CommandError(f"There is no tenant {options['tenant']!r}.")
        try:
            with tenancy.scope(tenant.pk):
                route = model_routes.save(
                    tenant_id=tenant.pk,
                    pattern=options["pattern"],
                    alias=options["alias"],
                    by=actors.SYSTEM,
                    at=timezone.now(),
                )
        except AIError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{tenant.name}: {route}")
