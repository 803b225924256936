"""The audit log as a file, and what somebody with nothing but the file can tell of it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from ai import tenancy
from ai.exceptions import Forbidden
from ai.models import AuditEntry, Job, Tenant
from ai.models.audit import BEGINNING
from ai.services import actors, audit, audit_files, jobs
from ai.services.exports import asking
from ai.services.exports import jobs as exports
from ai.services.selections import Selection
from ai.services.tables import reader
from tests import factories

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
HOSTILE = ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "'", 'a"b', "a,b\nc", "é", "\u2028", "😀")


@pytest.fixture(autouse=True)
def _everything() -> Iterator[None]:
    with tenancy.everything(reason="a test"):
        yield


def written(count: int = 6, *, tenants: tuple[Tenant, ...] = ()) -> None:
    """So many sealed entries, of these tenants by turns, with words that spreadsheets and encodings trip over."""
    for number in range(count):
        owner = tenants[number % len(tenants)].pk if tenants else None
        words = HOSTILE[number % len(HOSTILE)]
        by = actors.Actor(f"{number}", f"{words} person")
        data = {"words": words, "number": number / 3, "nested": [None, True, {"b": 1, "a": 1e30}]}
        audit.record("thing.done", by=by, at=NOW + timedelta(seconds=number), tenant_id=owner, **data)
    audit.seal(at=NOW + timedelta(hours=1))


def exported(format_name: str = "jsonl", **filters: str) -> bytes:
    chosen = Selection.of_list("audit-entries", filters)
    made = asking.at_once(selection=chosen, format_name=format_name, by=actors.SYSTEM, at=NOW + timedelta(hours=2))
    with made.content as content:
        return content.read()


def lines(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


def verified(said: list[dict[str, Any]], **options: Any) -> audit_files.Report:
    return audit_files.verify([json.dumps(each) for each in said], **options)


class TestFile:
    def test_has_every_entry_with_its_seal(self) -> None:
        written()

        found = lines(exported())

        assert [each["seal"] for each in found] == [1, 2, 3, 4, 5, 6]
        assert found[0]["digest_before"] == BEGINNING
        assert [each["digest"] for each in found[:-1]] == [each["digest_before"] for each in found[1:]]
        assert found[-1]["digest"] == audit.verify().head

    def test_has_entries_without_a_seal_too(self) -> None:
        audit.record("thing.done", by=actors.SYSTEM, at=NOW)

        (found,) = lines(exported())

        assert (found["seal"], found["digest_before"], found["digest"]) == (None, None, None)

    def test_as_csv_says_the_same_and_computes_nothing(self) -> None:
        written(len(HOSTILE))

        said = lines(exported())
        cells = list(reader(io.StringIO(exported("csv").decode(), newline="")))[: len(said)]

        assert [row["digest"] for row in cells] == [each["digest"] for each in said]
        assert [row["seal"] for row in cells] == [str(each["seal"]) for each in said]
        every = [cell for row in cells for cell in row.values()]
        assert [cell for cell in every if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []

    def test_is_noted_in_the_log_itself(self) -> None:
        written(2)

        exported(action="thing.done")

        entry = AuditEntry.objects.get(action="export.made")
        assert entry.data["rows_of"] == "audit-entries: action is thing.done"
        assert entry.data["counts"]["rows"] == 2

    def test_takes_the_filters_of_the_list(self) -> None:
        written(4)
        audit.record("other.done", by=actors.SYSTEM, at=NOW - timedelta(days=9))

        assert len(lines(exported(action="thing.done"))) == 4
        assert len(lines(exported(actor_name="+1 person"))) == 1
        assert len(lines(exported(at_to="2026-04-30"))) == 1
        assert len(lines(exported(q="other"))) == 1

    def test_needs_the_permission(self, tenant: Tenant) -> None:
        chosen = Selection.of_list("audit-entries", {})
        person = factories.staff("view_auditentry", "export_feedback", tenants=(tenant,))

        with pytest.raises(Forbidden, match="export_auditentry"):
            asking.start(selection=chosen, format_name="jsonl", by=person, at=NOW)

    def test_of_many_is_made_in_parts_by_a_worker(self, settings: Any) -> None:
        written(7)
        settings.AI_EXPORT_PART_ROWS = 2
        until = timezone.now()
        chosen = Selection.of_list("audit-entries", {"action": "thing.done"})

        job = exports.request(selection=chosen, format_name="jsonl", by=actors.SYSTEM, at=until)
        jobs.carry_on(job_id=job.pk, worker="w", now=lambda: until)
        _, content = exports.open_file(job_id=job.pk, by=actors.SYSTEM, at=until)

        with content:
            report = audit_files.verify(content)
        assert Job.objects.get(pk=job.pk).data["manifest"]["counts"]["rows"] == 7
        assert (report.sealed, report.faults) == (7, [])


class TestVerify:
    def test_of_the_whole_log_finds_it_whole(self) -> None:
        written()

        report = verified(lines(exported()), whole=True)

        assert report.faults == []
        assert (report.sealed, report.first, report.last, report.absent) == (6, 1, 6, 0)
        assert report.head == audit.verify().head

    def test_can_be_done_by_whoever_reads_how_a_digest_is_made(self) -> None:
        written(len(HOSTILE))

        for said in lines(exported()):
            made_over = {name: value for name, value in said.items() if name not in {"seal", "digest", "digest_before"}}
            made_over["at"] = made_over["at"].replace("Z", "+00:00")
            text = json.dumps(made_over, sort_keys=True, separators=(",", ":"))
            assert hashlib.sha256(f"{said['digest_before']}\n{text}".encode()).hexdigest() == said["digest"]

    @pytest.mark.parametrize("order", [[5, 4, 3, 2, 1, 0], [2, 0, 4, 1, 5, 3]])
    def test_in_whatever_order_lines_come(self, order: list[int]) -> None:
        written()
        said = lines(exported())

        assert verified([said[place] for place in order], whole=True).faults == []

    def test_of_one_tenant_says_how_many_are_not_there(self, tenant: Tenant) -> None:
        written(6, tenants=(tenant, factories.tenant()))

        report = verified(lines(exported(tenant=str(tenant.pk))))

        assert (report.faults, report.sealed, report.absent) == ([], 3, 2)
        assert verified(lines(exported(tenant=str(tenant.pk))), whole=True).faults

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("actor_name", "somebody else"),
            ("action", "thing.undone"),
            ("at", "2026-05-04T12:00:02.000001Z"),
            ("data", {}),
            ("tenant_id", "00000000-0000-0000-0000-000000000001"),
            ("digest", "0" * 64),
            ("digest_before", "0" * 64),
            ("seal", 40),
        ],
    )
    def test_finds_what_was_changed(self, column: str, value: Any) -> None:
        written()
        said = lines(exported())

        said[2][column] = value

        assert verified(said, whole=True).faults

    def test_finds_an_entry_that_was_sealed_anew(self) -> None:
        written()
        said = lines(exported())
        forged = {**said[2], "actor_name": "somebody else"}
        entry = AuditEntry.objects.get(pk=forged["id"])
        entry.actor_name = "somebody else"
        forged["digest"] = entry.digest(forged["digest_before"])

        report = verified([*said[:2], forged, *said[3:]])

        assert report.faults == ["Line 4: entry 4 does not follow the one before it."]

    def test_says_how_many_lines_only_speak_for_themselves(self) -> None:
        written(6)
        one, *_, three, four, five, _six = lines(exported())

        apart = verified([three, five])
        beside, from_the_first = verified([three, four]), verified([one, four])

        assert (apart.alone, beside.alone, from_the_first.alone) == (2, 0, 1)
        assert verified([three], head=three["digest"]).alone == 0

    def test_of_what_is_to_be_whole_takes_nothing_on_trust(self) -> None:
        written(3)
        first, second, third = lines(exported())

        assert verified([], whole=True).faults == ["There is no sealed entry in the file."]
        unsealed = {**second, "seal": None, "digest": None, "digest_before": None}
        assert any("have no seal" in fault for fault in verified([first, unsealed, third], whole=True).faults)

    def test_finds_a_line_that_is_there_twice_and_one_that_is_missing(self) -> None:
        written()
        said = lines(exported())

        assert verified([*said, said[3]]).faults == ["Line 7: entry 4 is there twice."]
        assert verified([*said[:3], *said[4:]], whole=True).faults
        assert verified(said[1:], whole=True).faults == ["The entries before 2 are missing."]

    def test_finds_a_missing_end_by_a_seal_that_was_kept(self) -> None:
        written()
        said, head = lines(exported()), audit.verify().head

        assert verified(said, head=head).faults == []
        assert verified(said[:-1], head=head).faults

    @pytest.mark.parametrize(
        "line",
        [
            "x", "[]", "5", "null", "{}", '{"seal": 1}', "[" * 100_000, "\x00", '"' + "a" * 10_000, "NaN",
        ],
    )  # fmt: skip
    def test_says_where_there_is_no_entry(self, line: str) -> None:
        written(2)
        said = [json.dumps(each) for each in lines(exported())]

        report = audit_files.verify([said[0], line, said[1]])

        assert report.faults == ["Line 2 is no entry of an exported audit log."]
        assert report.sealed == 2

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("at", "2026-05-04"),
            ("at", 5),
            ("id", "x"),
            ("seal", "one"),
            ("seal", float("inf")),
            ("seal", True),
            ("seal", 0),
            ("tenant_id", 5),
            ("more", 1),
        ],
    )
    def test_says_where_a_value_is_none(self, column: str, value: Any) -> None:
        written(1)
        (said,) = lines(exported())

        assert verified([{**said, column: value}]).faults == ["Line 1 is no entry of an exported audit log."]


class TestCommand:
    def run(self, *arguments: str) -> str:
        out = io.StringIO()
        call_command("verify_audit", *arguments, stdout=out)
        return out.getvalue()

    @pytest.mark.parametrize("format_name", ["jsonl", "jsonl.gz"])
    def test_says_that_a_file_is_as_it_was_written(self, tmp_path: Path, format_name: str) -> None:
        written()
        file = tmp_path / f"log.{format_name}"
        file.write_bytes(exported(format_name))

        said = self.run("--file", str(file), "--whole")

        assert "6 entries are as they were written." in said
        assert f"The newest seal: {audit.verify().head}" in said

    def test_fails_and_says_where_it_is_not(self, tmp_path: Path) -> None:
        written()
        file = tmp_path / "log.jsonl"
        file.write_bytes(exported().replace(b"thing.done", b"thing.made", 1))

        with pytest.raises(CommandError, match="not as it was written"):
            self.run("--file", str(file))

    def test_says_when_a_file_cannot_be_read(self, tmp_path: Path) -> None:
        broken = tmp_path / "log.jsonl.gz"
        broken.write_bytes(gzip.compress(b"x" * 1000)[:20])

        for file in (broken, tmp_path / "none.jsonl"):
            with pytest.raises(CommandError, match="cannot be read"):
                self.run("--file", str(file))
