"""What every test may ask for.

A test marked `postgres`, `sqlite`, `broker`, `browser`, `contract` or `data` needs something that is not always there.
Where it is missing the test skips and says why; under `CI=true` it is left out of the lane instead, and a skip is a
failure, so that each test really runs in the lane that has what it needs.

An `async def` test that touches the database gets it without a transaction around it (`django_db(transaction=True)`):
the ORM works on a thread, with a connection of its own, that never sees an open transaction of the test.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import SyncToAsync, iscoroutinefunction
from django.core.cache import cache
from django.db import connection, connections
from hypothesis import settings as hypothesis_settings

from tests.environment import CHROMIUM, CLIENTS, IN_CI

if TYPE_CHECKING:
    from ai.models import Tenant

# A slow machine is no fault of what is tested.
hypothesis_settings.register_profile("console", deadline=None)
hypothesis_settings.load_profile("console")


def _missing(marker: str) -> str:
    """Why a test with `marker` cannot run here; empty when it can."""
    vendor = connection.vendor
    reasons = {
        "postgres": "" if vendor == "postgresql" else "needs PostgreSQL: set TEST_DATABASE_URL",
        "sqlite": "" if vendor == "sqlite" else "is about SQLite, and this lane is on another database",
        "broker": "" if os.environ.get("TEST_BROKER_URL") else "needs a broker: set TEST_BROKER_URL",
        "browser": "" if CHROMIUM or IN_CI else "needs Chromium: apt-get install chromium",
        "contract": "" if CLIENTS or IN_CI else "needs other people's SDKs: make contract-clients",
        "data": "" if os.environ.get("CONSOLE_DATA") else "needs the sample data: set CONSOLE_DATA to its folder",
    }
    return reasons.get(marker, "")


def _uses_database(item: pytest.Item) -> bool:
    return "db" in getattr(item, "fixturenames", ()) or item.get_closest_marker("django_db") is not None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, or skip with a reason, what cannot run here."""
    left_out = []
    for item in items:
        if iscoroutinefunction(getattr(item, "function", None)) and _uses_database(item):
            item.add_marker(pytest.mark.django_db(transaction=True), append=False)
        reasons = [reason for marker in item.iter_markers() if (reason := _missing(marker.name))]
        if reasons and IN_CI:
            left_out.append(item)
        for reason in reasons:
            item.add_marker(pytest.mark.skip(reason=reason))
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under `CI=true` nothing may skip."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not (IN_CI and reporter):
        return
    if skipped := reporter.stats.get("skipped"):
        reporter.write_line(f"{len(skipped)} skipped, and in CI a skip is a failure:", red=True)
        for report in skipped:
            reporter.write_line(f"  {report.nodeid}: {report.longrepr}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    """No test sees what another one cached."""
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def _no_connection_left_open(request: pytest.FixtureRequest) -> Iterator[None]:
    """The threads on which async tests and the API use the ORM give their connections back."""
    yield
    from ai.api import database

    database.close()
    if iscoroutinefunction(getattr(request, "function", None)):
        SyncToAsync.single_thread_executor.submit(connections.close_all).result()


@pytest.fixture
def loop_for_marvin() -> Iterator[None]:
    """The thread's event loop, which `marvin.run` drives, and which nobody else would close."""
    made = asyncio.new_event_loop()
    asyncio.set_event_loop(made)
    yield
    made.run_until_complete(made.shutdown_asyncgens())
    made.run_until_complete(made.shutdown_default_executor())
    made.close()
    asyncio.set_event_loop(None)


@pytest.fixture
def tenant(db: None) -> Iterator[Tenant]:
    """A tenant, in scope while the test runs."""
    from ai import tenancy
    from ai.models import Tenant

    made = Tenant.objects.create(name="Northwind")
    with tenancy.scope(made.pk):
        yield made


@pytest.fixture
def sent_tasks() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """The name and arguments of every task sent to the broker while the test runs."""
    from celery.signals import before_task_publish

    sent: list[tuple[str, dict[str, Any]]] = []

    def note(sender: str, body: Any, **_: Any) -> None:
        sent.append((sender, body[1]))

    before_task_publish.connect(note)
    yield sent
    before_task_publish.disconnect(note)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Debian's Chromium instead of a downloaded one."""
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": ["--no-sandbox", "--disable-gpu"]}
