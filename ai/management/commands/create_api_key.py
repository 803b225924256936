"""Makes a key for the HTTP API."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from ai import tenancy
from ai.exceptions import AIError
from ai.models import Tenant
from ai.models.api_keys import SCOPES, USUAL
from ai.services import actors, api_keys, tenants


class Command(BaseCommand):
    """`manage.py create_api_key --tenant Northwind`; the key alone is the last line, and is not shown again."""

    help = "Make a key for the HTTP API; it is the last line of the output, and is not shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whose key, and what it may do."""
        parser.add_argument("--tenant", required=True, help="whose data it opens; made when there is none of this name")
        parser.add_argument("--name", default="", help="what people call it")
        parser.add_argument("--expires", help="a date such as 2027-01-31, a time, or a number of days such as 90")
        parser.add_argument(
            "--scopes", default=",".join(USUAL), help=f"of {', '.join(SCOPES)}; {', '.join(USUAL)} by default"
        )
        parser.add_argument("--requests-per-minute", type=int, help="as many as come by default")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the key, and the tenant where it is missing."""
        at = timezone.now()
        try:
            tenant = Tenant.objects.filter(name=" ".join(options["tenant"].split())).first()
            if tenant is None:
                tenant = tenants.add(name=options["tenant"], by=actors.SYSTEM, at=at)
                self.stdout.write(f"Made the tenant {tenant.name}.")
            with tenancy.scope(tenant.pk):
                key, plain = api_keys.make(
                    tenant_id=tenant.pk,
                    by=actors.SYSTEM,
                    at=at,
                    name=options["name"],
                    scopes=[scope.strip() for scope in options["scopes"].split(",") if scope.strip()],
                    expires_at=_moment(options["expires"], at),
                    requests_per_minute=options["requests_per_minute"],
                )
        except AIError as error:
            raise CommandError(error.message) from error
        until = f" until {key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else ""
        self.stdout.write(f"A key of {tenant.name} for {', '.join(key.scopes)}{until}. It is not shown again:")
        self.stdout.write(plain)


def _moment(text: str | None, at: datetime) -> datetime | None:
    """When a key expires: the end of a day, a time, or so many days from now."""
    if not text:
        return None
    try:
        if text.removesuffix("d").isdecimal():
            return at + timedelta(days=int(text.removesuffix("d")))
        day = parse_date(text)
        moment = datetime.combine(day, time.max) if day else parse_datetime(text)
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        raise CommandError(f"{text!r} is no date such as 2027-01-31, and no number of days.")
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment
