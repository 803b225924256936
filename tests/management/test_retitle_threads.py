"""`manage.py retitle_threads`: proposes, applies, or only prints."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from ai import tenancy
from ai.models import ChatThread, Job, JobItem, Tenant
from tests import factories
from tests.fakes.vendors import VendorServer
from tests.runner.scripted import scripted_model
from tests.services.retitling import end_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def row(tenant: Tenant) -> ChatThread:
    return factories.thread(tenant, {"role": "user", "content": "Where is my parcel?"}, name="Old")


@pytest.fixture
def scripted(db: None) -> Iterator[VendorServer]:
    with scripted_model() as (server, _):
        yield server


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("retitle_threads", *arguments, stdout=out)
    return out.getvalue()


class TestCommand:
    def test_proposes_and_changes_nothing(self, row: ChatThread) -> None:
        said = run("--thread", str(row.pk))

        assert "Old → Where is my parcel?  [proposed]" in said
        assert "by rule: free" in said
        row.refresh_from_db()
        assert row.name == "Old"
        assert JobItem.objects.get().status == "proposed"

    def test_applies(self, row: ChatThread, tenant: Tenant) -> None:
        locked = factories.thread(tenant, name="Mine", title_locked=True)

        said = run("--apply")

        row.refresh_from_db()
        assert row.name == "Where is my parcel?"
        assert "[applied]" in said
        assert "Mine → —  [locked]" in said
        assert ChatThread.objects.get(pk=locked.pk).name == "Mine"

    def test_writes_nothing_in_a_dry_run(self, row: ChatThread, tenant: Tenant) -> None:
        factories.thread(tenant, name="Mine", title_locked=True)

        said = run("--dry-run")

        row.refresh_from_db()
        assert "Old → Where is my parcel?" in said
        assert "Mine → —  [locked]" in said
        assert row.name == "Old"
        assert not Job.objects.exists()

    def test_asks_a_model_and_says_what_it_used(self, row: ChatThread, scripted: VendorServer) -> None:
        scripted.script(end_task("Lost parcel"))

        said = run("--model", "scripted", "--apply")

        row.refresh_from_db()
        assert row.name == "Lost parcel"
        assert "scripted: price unknown, 18 tokens." in said

    def test_keeps_to_a_tenant(self, row: ChatThread) -> None:
        other = factories.tenant("Southwind")
        theirs = factories.thread(other, {"role": "user", "content": "Where is my lamp?"}, name="Theirs")

        run("--tenant", "Southwind", "--apply")

        row.refresh_from_db()
        with tenancy.everything(reason="test"):
            assert ChatThread.objects.get(pk=theirs.pk).name == "Where is my lamp?"
        assert row.name == "Old"

    def test_refuses(self, row: ChatThread) -> None:
        with pytest.raises(CommandError, match="either"):
            run("--apply", "--dry-run")
        with pytest.raises(CommandError, match="no tenant"):
            run("--tenant", "Nobody")
        with pytest.raises(CommandError, match="no language model"):
            run("--model", "no-such-model")
        with pytest.raises(CommandError, match="no-id"):
            run("--thread", "no-id")
