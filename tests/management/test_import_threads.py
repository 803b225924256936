"""`manage.py import_threads`."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from ai import tenancy
from ai.models import ChatThread, Message, Tenant
from tests import factories
from tests.services.imports import dumps

pytestmark = pytest.mark.django_db


class Terminal(StringIO):
    """A terminal that shows progress."""

    def isatty(self) -> bool:
        return True


class Impatient(Terminal):
    """A terminal at which somebody soon presses Ctrl-C."""

    def write(self, text: str) -> int:
        if "objects read" in text:
            raise KeyboardInterrupt
        return super().write(text)


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    messages, runs, steps = dumps.talk(turns=2)
    export = dumps.export(messages=messages, runs=runs, steps=steps, files=[dumps.file("sales")])
    return dumps.folder(tmp_path / "export", export, assistants=[dumps.assistant()])


def run(*arguments: object, out: StringIO | None = None) -> str:
    out = out or StringIO()
    call_command("import_threads", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_prints_what_came_of_it(dump: Path) -> None:
    factories.tenant("Acme")

    said = run(dump, "--format", "assistants", "--tenant", "Acme")

    assert said.splitlines() == [
        "                     new   unchanged     refused",
        "assistants             1           0           0",
        "threads                1           0           0",
        "messages               4           0           0",
        "runs                   2           0           0",
        "steps                  4           0           0",
        "The dump describes 1 file without their contents: names and sizes are kept where messages refer to them.",
    ]


def test_again_changes_nothing(dump: Path) -> None:
    factories.tenant("Acme")
    run(dump)

    said = run(dump)

    assert "messages               0           4           0" in said


def test_a_dry_run_writes_nothing(dump: Path) -> None:
    acme = factories.tenant("Acme")

    said = run(dump, "--dry-run")

    assert "messages               4           0           0" in said
    assert said.endswith("Nothing was written: this was a dry run.\n")
    with tenancy.scope(acme.pk):
        assert not ChatThread.objects.exists()


def test_names_what_is_refused_and_fails(tmp_path: Path) -> None:
    acme = factories.tenant("Acme")
    path = dumps.lines(tmp_path / "dump.jsonl", dumps.message("q"), dumps.message("x", role="robot"))
    out = StringIO()

    with pytest.raises(CommandError, match="1 refused; everything else is as counted above"):
        run(path, out=out)

    assert out.getvalue().splitlines()[0] == (
        "Refused: dump.jsonl, line 2: message msg_x: Its role “robot” is neither user nor assistant."
    )
    with tenancy.scope(acme.pk):
        assert Message.objects.count() == 1


def test_shows_progress_on_a_terminal(dump: Path) -> None:
    factories.tenant("Acme")

    said = run(dump, out=Terminal())

    assert "objects read" in said
    assert "objects read" not in run(dump)


def test_an_interrupted_import_can_be_gone_on_with(dump: Path) -> None:
    factories.tenant("Acme")

    with pytest.raises(CommandError, match="the same command goes on"):
        run(dump, out=Impatient())

    assert "messages               4           0           0" in run(dump)


class TestWhose:
    def test_is_asked_for_where_there_are_several(self, dump: Path) -> None:
        factories.tenant("Acme")
        factories.tenant("Northwind")

        with pytest.raises(CommandError, match="--tenant NAME"):
            run(dump)

    def test_is_asked_for_where_there_is_none(self, dump: Path) -> None:
        with pytest.raises(CommandError, match="There is none yet"):
            run(dump)

    def test_must_exist(self, dump: Path) -> None:
        factories.tenant("Acme")

        with pytest.raises(CommandError, match="There is no tenant “Acne”"):
            run(dump, "--tenant", "Acne")

        assert Tenant.objects.count() == 1


def test_a_path_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    factories.tenant("Acme")

    with pytest.raises(CommandError, match="There is no file or folder"):
        run(tmp_path / "gone")
