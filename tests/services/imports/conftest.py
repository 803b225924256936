"""What the tests of imports ask for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from ai.models import Tenant
from ai.services import actors
from ai.services.imports import loading
from ai.services.imports.drafts import Refusal
from ai.services.imports.reports import Report
from tests.services.imports import dumps


class Import:
    """Imports into one tenant; `report` and `refused` are of the last time."""

    def __init__(self, tenant: Tenant, folder: Path) -> None:
        self.tenant, self.folder = tenant, folder
        self.report, self.refused = Report(), list[Refusal]()
        self._times = 0

    def path(self, path: Path, **values: Any) -> dict[str, dict[str, int]]:
        """Import what is at a path; the counts."""
        self.refused = []
        self.report = Report(on_refusal=self.refused.append)
        loading.load(
            path=path,
            tenant_id=self.tenant.pk,
            by=actors.SYSTEM,
            at=timezone.now(),
            report=self.report,
            **values,
        )
        return self.report.counts()

    def __call__(self, *objects: Any, **values: Any) -> dict[str, dict[str, int]]:
        """Import objects, one a line."""
        self._times += 1
        return self.path(dumps.lines(self.folder / f"dump{self._times}.jsonl", *objects), **values)

    def reasons(self) -> list[str]:
        """Why objects were refused, each with its id."""
        return [f"{refusal.id}: {refusal.reason}" for refusal in self.refused]


@pytest.fixture
def load(tenant: Tenant, tmp_path: Path) -> Import:
    return Import(tenant, tmp_path)


Load = Callable[..., dict[str, dict[str, int]]]
