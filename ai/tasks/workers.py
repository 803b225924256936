"""What a worker process does beside its tasks: it says that it lives, and sweeps up after others."""

from __future__ import annotations

from typing import Any

from celery import signals
from django.utils import timezone

from ai.services import workers

attendant = workers.Attendant(now=timezone.now)


@signals.worker_ready.connect
def _begin(**_: Any) -> None:
    attendant.start()


@signals.worker_shutting_down.connect
def _stop_taking(**_: Any) -> None:
    # Sent from the signal handler: only tell the threads, wait for nothing.
    attendant.stop(seconds=0)


@signals.worker_shutdown.connect
def _end(**_: Any) -> None:
    attendant.stop()
