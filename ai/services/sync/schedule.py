"""A sync every so many minutes, where the installation wants one: however many processes ask, there is one job."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction

from ai import conf, tenancy
from ai.exceptions import InvalidInput
from ai.models import Job
from ai.models.jobs import OPEN
from ai.services import actors
from ai.services.selections import Selection
from ai.services.sync import requests
from ai.services.sync.requests import NothingLinked

log = logging.getLogger(__name__)


def run(*, at: datetime) -> Job | None:
    """Queue the sync of this period, unless it is queued, an earlier one still goes on, or none is wanted."""
    minutes = conf.current().sync_every_minutes
    if minutes < 1:
        return None
    key = f"scheduled-sync:{int(at.timestamp()) // (minutes * 60)}"
    with tenancy.everything(reason="a scheduled sync"), transaction.atomic():
        earlier = Job.objects.filter(kind=requests.KIND, key__startswith="scheduled-sync:")
        if earlier.filter(key=key).exists() or earlier.filter(status__in=OPEN).exists():
            return None
        try:
            return requests.request(
                selection=Selection.of_list("threads", {}),
                direction=conf.current().sync_direction,
                by=actors.SYSTEM,
                at=at,
                key=key,
            )
        except NothingLinked:
            return None
        except InvalidInput as error:
            log.warning("The scheduled sync is left out. %s", error.message)
            return None
