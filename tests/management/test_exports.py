"""Exports and bundles from the shell."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ai.models import AuditEntry, ChatThread, Tenant
from tests import factories
from tests.services.bundles import consoles

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant(db: None) -> Tenant:
    made = Tenant.objects.create(name="Acme")
    factories.thread(made, *factories.talk(2), name="A parcel", tags=["billing"])
    factories.thread(made, *factories.talk(1), name="Another")
    factories.thread(Tenant.objects.create(name="Other"), *factories.talk(1), name="Theirs")
    return made


def printed(*command: Any) -> str:
    out = io.StringIO()
    call_command(*map(str, command), stdout=out)
    return out.getvalue()


class TestExportThreads:
    def test_writes_what_the_filters_find(self, tenant: Tenant, tmp_path: Path) -> None:
        file, manifest = tmp_path / "threads.jsonl", tmp_path / "manifest.json"

        said = printed("export_threads", file, "--tenant", "Acme", "--filter", "tag=billing", "--manifest", manifest)

        assert [json.loads(line)["title"] for line in file.read_text().splitlines()] == ["A parcel"]
        assert json.loads(manifest.read_text())["counts"] == {"rows": 1, "written": 1, "gone": 0}
        assert "tag is billing, tenant is Acme: 1 read, 1 written" in said
        assert AuditEntry._base_manager.filter(action="export.made", actor_name="system").exists()

    def test_searches_and_writes_other_rows(self, tenant: Tenant, tmp_path: Path) -> None:
        printed("export_threads", tmp_path / "found.jsonl", "--search", "parcel")
        printed("export_threads", tmp_path / "messages.csv", "--of", "messages", "--format", "csv", "--tenant", "Acme")

        assert len((tmp_path / "found.jsonl").read_text().splitlines()) == 1
        assert len((tmp_path / "messages.csv").read_text().splitlines()) == 7

    def test_writes_single_threads(self, tenant: Tenant, tmp_path: Path) -> None:
        thread = ChatThread._base_manager.get(name="Another")

        printed("export_threads", tmp_path / "one.md", "--format", "transcript", "--thread", thread.pk)

        assert (tmp_path / "one.md").read_text().startswith("# Another")

    @pytest.mark.parametrize(
        "options",
        [
            ("--tenant", "Nobody"),
            ("--filter", "colour=red"),
            ("--filter", "nonsense"),
            ("--of", "runs", "--format", "dpo"),
            ("--thread", "x"),
        ],
    )
    def test_refuses_what_it_cannot_do(self, tenant: Tenant, tmp_path: Path, options: tuple[str, ...]) -> None:
        with pytest.raises(CommandError):
            printed("export_threads", tmp_path / "file", *options)

        assert not (tmp_path / "file").exists()


class TestBundles:
    def test_go_from_one_console_to_another(self, tenant: Tenant, tmp_path: Path) -> None:
        first, second = tmp_path / "first.zip", tmp_path / "second.zip"

        assert "chatthread.jsonl" in printed("export_bundle", "--tenant", "Acme", first)
        consoles.empty()
        assert "The tenant “Acme” is here" in printed("import_bundle", first)
        printed("export_bundle", "--tenant", "Acme", second)

        assert first.read_bytes() == second.read_bytes()

    def test_say_what_is_wrong(self, tenant: Tenant, tmp_path: Path) -> None:
        (tmp_path / "no.zip").write_bytes(b"no")

        for command in (
            ("export_bundle", "--tenant", "Nobody", tmp_path / "x.zip"),
            ("import_bundle", tmp_path / "no.zip"),
            ("import_bundle", tmp_path / "nowhere.zip"),
        ):
            with pytest.raises(CommandError):
                printed(*command)
