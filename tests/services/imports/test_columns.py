"""CSV files of others: what their columns are is guessed, shown, and said by whoever knows better."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ai.exceptions import InvalidInput
from ai.models import ChatThread, Tenant
from ai.services import tables
from ai.services.imports import columns
from ai.services.imports.cells import Row
from ai.services.imports.values import Document
from tests.services.imports import said
from tests.services.imports.conftest import Import

FOREIGN = "Conversation ID,Speaker,Utterance,Sent At,Mood\nc1,Customer,Will it rain?,1735689600,calm\nc1,Bot,No.,1735689605,\n"


def documents(*rows: dict[str, str]) -> Iterable[Document]:
    return [Document(f"a.csv, row {number}", Row(row), "a.csv") for number, row in enumerate(rows, start=2)]


def read_as(*rows: dict[str, str], given: dict[str, str] | None = None) -> dict[str, str]:
    return {each.name: each.field for each in columns.looked(documents(*rows), given or {})}


class TestGuess:
    def test_knows_what_others_call_them(self) -> None:
        row = dict.fromkeys(["conversationId", "Author Role", "Body", "Date", "Mood"], "x")

        assert list(read_as(row).values()) == ["thread_id", "role", "content", "created", ""]

    def test_leaves_tables_of_the_console_as_they_are(self) -> None:
        for table in (tables.THREADS, tables.MESSAGES):
            row = dict.fromkeys(table.header, "{}")

            assert read_as(row) == {name: name for name in table.header}

    def test_reads_words_in_a_column_of_messages_as_what_is_said(self) -> None:
        assert read_as({"thread_id": "a", "role": "user", "message": "Hi"})["message"] == "content"
        assert read_as({"thread_id": "a", "message": '{"role": "user"}'})["message"] == "message"
        assert list(read_as({"Chat": "a", "Sender": "Bot", "Message": "Hi"}).values()) == [
            "thread_id",
            "role",
            "content",
        ]
        assert read_as({"Chat": "a", "Message": '{"role": "user"}'})["Message"] == "message"

    def test_leaves_out_tags_that_are_no_list(self) -> None:
        assert read_as({"ID": "a", "Title": "Rain", "Tags": "wet, cold"})["Tags"] == ""
        assert read_as({"ID": "a", "Title": "Rain", "Tags": '["wet"]'})["Tags"] == "tags"

    def test_completes_tables_that_are_known_by_half_of_their_columns(self) -> None:
        row = {
            "thread_id": "a",
            "Speaker": "Bot",
            "content": "Hi",
            "Sent at": "2025-01-01",
            "user": "u",
            "Mood": "calm",
        }

        assert list(read_as(row).values()) == ["thread_id", "role", "content", "created", "user", ""]

    def test_takes_no_field_twice(self) -> None:
        assert read_as({"chat": "1", "session": "2", "who": "user", "text": "Hi"}) == {
            "chat": "thread_id",
            "session": "",
            "who": "role",
            "text": "content",
        }

    def test_takes_messages_with_a_rating_for_messages(self) -> None:
        row = {"vote": "1", "message_id": "m", "chat": "1", "who": "user", "text": "Hi"}

        assert list(read_as(row).values()) == ["", "message_id", "thread_id", "role", "content"]
        assert (
            read_as({"thread_id": "1", "role": "user", "content": "Hi", "message_id": "m", "feedback": "up"})[
                "feedback"
            ]
            == "feedback"
        )
        assert read_as({"thread_id": "1", "message_id": "m", "vote": "up"})["vote"] == "rating"

    def test_gives_way_to_what_somebody_says(self) -> None:
        row = {"chat": "1", "session": "2", "who": "user", "text": "Hi"}

        assert read_as(row, given={"chat": "", "session": "thread_id", "gone": "role"}) == {
            "chat": "",
            "session": "thread_id",
            "who": "role",
            "text": "content",
        }

    def test_shows_the_first_cell_that_is_not_empty(self) -> None:
        found = columns.looked(documents({"a": " "}, {"a": "x" * 200}, {"a": "y"}), {})

        assert [each.example for each in found] == ["x" * columns.EXCERPT]

    def test_shows_as_many_as_can_be_looked_through(self) -> None:
        assert len(read_as({f"column {number}": "" for number in range(500)})) == columns.MOST_SHOWN
        assert read_as({"": "x", "y" * 1000: "x"}) == {}


@pytest.mark.django_db
class TestMapped:
    @pytest.fixture
    def foreign(self, tmp_path: Path) -> Path:
        path = tmp_path / "foreign.csv"
        path.write_text(FOREIGN)
        return path

    MAPPED = {"Conversation ID": "thread_id", "Speaker": "role", "Utterance": "content", "Sent At": "created"}

    def test_columns_are_read_as_somebody_says(self, load: Import, foreign: Path) -> None:
        load.path(foreign, read_as=self.MAPPED)

        assert said.lines(said.thread("c1")) == ["user: Will it rain?", "assistant: No."]
        assert said.thread("c1").created == datetime(2025, 1, 1, tzinfo=UTC)

    def test_again_changes_nothing(self, load: Import, foreign: Path) -> None:
        load.path(foreign, read_as=self.MAPPED)

        assert load.path(foreign, read_as=self.MAPPED)["message"] == {"new": 0, "unchanged": 2, "refused": 0}

    def test_a_column_may_be_left_out(self, load: Import, foreign: Path) -> None:
        load.path(foreign, read_as={**self.MAPPED, "Sent At": ""})

        assert said.thread("c1").created.year > 2025

    @pytest.mark.parametrize(
        ("cell", "at"),
        [
            ("1735689600.5", datetime(2025, 1, 1, 0, 0, 0, 500_000, UTC)),
            ("1735689600500", datetime(2025, 1, 1, 0, 0, 0, 500_000, UTC)),
            ("202501011200", None),
        ],
    )
    def test_seconds_and_milliseconds_are_times_and_other_numbers_are_none(
        self, load: Import, foreign: Path, cell: str, at: datetime | None
    ) -> None:
        foreign.write_text(f"thread_id,role,content,created\nc1,user,Hi,{cell}\n")

        load.path(foreign)

        assert list(ChatThread.objects.values_list("created", flat=True)) == [at] * bool(at)

    def test_feedback_is_the_same_whatever_is_left_out(self, load: Import, foreign: Path) -> None:
        foreign.write_text("thread_id,role,content\na,user,Hi\na,assistant,Ho\n")
        load.path(foreign)
        foreign.write_text("thread_id,message_index,rating,Reviewer\na,1,up,Ann\na,1,up,Bob\n")

        assert load.path(foreign, read_as={"Reviewer": ""})["feedback"] == {"new": 2, "unchanged": 0, "refused": 0}
        assert load.path(foreign)["feedback"] == {"new": 0, "unchanged": 2, "refused": 0}

    def test_without_a_word_says_what_is_not_known(self, load: Import, foreign: Path) -> None:
        with pytest.raises(InvalidInput, match=r"“Conversation ID”, “Speaker”.* say which one is the thread"):
            load.path(foreign)

    def test_a_field_that_there_is_not_is_refused(self, load: Import, foreign: Path) -> None:
        with pytest.raises(InvalidInput, match="“Speaker” cannot be read as “mouth”"):
            load.path(foreign, read_as={"Speaker": "mouth"})

    def test_a_field_that_is_given_twice_is_refused_before_anything_is_written(
        self, load: Import, foreign: Path
    ) -> None:
        with pytest.raises(InvalidInput, match="“Utterance” and “Mood” are both read as “content”"):
            load.path(foreign, read_as={**self.MAPPED, "Mood": "content"})

        assert not ChatThread.objects.exists()

    def test_a_column_that_there_is_not_is_refused_before_anything_is_written(
        self, load: Import, foreign: Path
    ) -> None:
        with pytest.raises(InvalidInput, match="No column is called “Sent on”"):
            load.path(foreign, read_as={"Sent on": "created", **self.MAPPED})

        assert not ChatThread.objects.exists()

    def test_a_column_may_be_in_one_of_several_files(self, load: Import, foreign: Path) -> None:
        (foreign.parent / "threads.csv").write_text("id,Subject\nc1,Rain\n")

        load.path(foreign.parent, read_as={"Subject": "title", **self.MAPPED})

        assert said.lines(said.thread("c1", name="Rain")) == ["user: Will it rain?", "assistant: No."]

    def test_the_command_takes_them_too(self, tenant: Tenant, foreign: Path, capsys: Any) -> None:
        mapped = [f"--map={name}={field}" for name, field in self.MAPPED.items()]

        call_command("import_threads", str(foreign), "--tenant", tenant.name, *mapped)

        assert said.lines(said.thread("c1")) == ["user: Will it rain?", "assistant: No."]

    def test_the_command_says_how_they_are_written(self, tenant: Tenant, foreign: Path) -> None:
        with pytest.raises(CommandError, match="Write --map COLUMN=FIELD, not “Speaker”"):
            call_command("import_threads", str(foreign), "--tenant", tenant.name, "--map", "Speaker")
