"""Write made-up conversations, for benchmarks and tests of scale."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ai.exceptions import AIError
from ai.services import actors
from ai.services.load import generating


class Command(BaseCommand):
    """`manage.py generate_load --threads 100000 --messages 1000000 --seed 1`."""

    help = "Write made-up conversations of realistic sizes. The same seed, hour and numbers give the same rows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How much, and for whom."""
        parser.add_argument("--threads", type=int, required=True)
        parser.add_argument("--messages", type=int, required=True)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--tenant", help="the tenant's name; three made-up tenants by default")
        parser.add_argument(
            "--until",
            type=datetime.fromisoformat,
            help="when the newest conversation ended (2026-11-22T10:00); by default the hour that has begun",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Write them, and say how fast it was."""
        until = options["until"] or timezone.now().replace(minute=0, second=0, microsecond=0)
        until = timezone.make_aware(until) if timezone.is_naive(until) else until
        begin = time.perf_counter()
        self.loaded = generating.Loaded()
        try:
            generating.generate(
                threads=options["threads"],
                messages=options["messages"],
                seed=options["seed"],
                until=until,
                tenant=options["tenant"],
                by=actors.SYSTEM,
                progress=lambda loaded: self._progress(loaded, options["messages"]),
            )
        except AIError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stdout.write("\nInterrupted; what was written so far is complete.")
        seconds = time.perf_counter() - begin
        done = self.loaded
        self.stdout.write(
            f"\n{done.threads:,} threads, {done.messages:,} messages, {done.runs:,} runs, {done.feedback:,} feedback "
            f"in {seconds:.1f} s: {done.messages / seconds:,.0f} messages/s"
        )

    def _progress(self, loaded: generating.Loaded, messages: int) -> None:
        self.loaded = loaded
        self.stdout.write(f"\r{loaded.messages:,} of {messages:,} messages", ending="")
        self.stdout.flush()
