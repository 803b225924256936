"""CSV: the console's own files come back as they were, others with the columns that matter, in any encoding."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from ai.models import ChatThread, Feedback, Message, Tenant
from ai.services.exports import rows
from tests import factories
from tests.services.imports import said
from tests.services.imports.conftest import Import

pytestmark = pytest.mark.django_db

NASTY = ["=1+1", "'=1+1", "+x", "-x", "@x", "\tx", "\rx", "a\r\nb", "'", "", "\u202eabc", "😀", "x" * 140_000]


@pytest.fixture
def csv_file(tmp_path: Path) -> Any:
    def write(header: str, *rows: Iterable[Any], name: str = "rows.csv", encoding: str = "utf-8") -> Path:
        with (tmp_path / name).open("w", encoding=encoding, newline="") as opened:
            writer = csv.writer(opened)
            writer.writerows([header.split(","), *rows])
        return tmp_path / name

    return write


class TestOwnFiles:
    def world(self, tenant: Tenant) -> None:
        talk = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(NASTY)]
        thread = factories.thread(
            tenant,
            *talk,
            name="=HYPERLINK(1)",
            tags=["-a", "b"],
            user_id="@u",
            source="console",
            data={"metadata": {"k": "+v"}},
        )
        factories.thread(tenant, name=None, tags=None)
        for message in Message.objects.filter(thread_id=str(thread.pk), role="assistant")[:3]:
            message.add_feedback({"rating": "up", "score": 4.5, "comment": "=cmd()", "label": "-"}, "u1")

    def export(self, folder: Path) -> Path:
        for noun, content in self.files().items():
            (folder / f"{noun}.csv").write_bytes(content)
        return folder

    def files(self) -> dict[str, bytes]:
        """The three files as the console exports them."""
        found = {}
        for noun, model in (("threads", ChatThread), ("messages", Message), ("feedback", Feedback)):
            out = io.BytesIO()
            rows.write_csv(noun, [model.objects.order_by("pk")], out)
            found[noun] = out.getvalue()
        return found

    def test_come_back_as_they_were(self, load: Import, tenant: Tenant, tmp_path: Path) -> None:
        self.world(tenant)
        folder = tmp_path / "export"
        folder.mkdir()
        before = self.files()
        self.export(folder)
        ChatThread.objects.delete_threads([row.pk for row in ChatThread.objects.all()])

        counts = load.path(folder)

        assert self.files() == before
        assert {kind: numbers["refused"] for kind, numbers in counts.items()} == {
            "thread": 0,
            "message": 0,
            "feedback": 0,
        }

    def test_are_all_here_already(self, load: Import, tenant: Tenant, tmp_path: Path) -> None:
        self.world(tenant)
        folder = tmp_path / "export"
        folder.mkdir()
        before = self.files()

        counts = load.path(self.export(folder))

        assert {kind: numbers["new"] for kind, numbers in counts.items()} == {"thread": 0, "message": 0, "feedback": 0}
        assert self.files() == before

    def test_of_another_tenant_cannot_take_its_rows(self, load: Import, tmp_path: Path) -> None:
        from ai import tenancy

        other = Tenant.objects.create(name="Other")
        folder = tmp_path / "export"
        folder.mkdir()
        with tenancy.scope(other.pk):
            self.world(other)
            before = self.files()
            self.export(folder)

        load.path(folder)

        with tenancy.scope(other.pk):
            assert self.files() == before
        assert not ChatThread.objects.exists()
        assert {refusal.kind for refusal in load.refused} == {"thread", "message", "feedback"}


class TestOtherFiles:
    def test_messages_make_their_threads(self, load: Import, csv_file: Any) -> None:
        load.path(
            csv_file(
                "thread_id,role,content,created_at,extra",
                ["a", "user", "Hi", "2025-01-01T00:00:00Z", "x"],
                ["b", "user", "Other", "", ""],
                ["a", "assistant", "Hello", "2025-01-01T00:00:05Z", ""],
            )
        )

        assert said.lines(said.thread("a")) == ["user: Hi", "assistant: Hello"]
        assert said.thread("a").created == datetime(2025, 1, 1, tzinfo=UTC)
        assert said.lines(said.thread("b")) == ["user: Other"]

    def test_again_change_nothing(self, load: Import, csv_file: Any) -> None:
        path = csv_file("thread_id,role,content", ["a", "user", "Hi"], ["a", "user", "Hi"])
        load.path(path)

        counts = load.path(path)

        assert (counts["message"], Message.objects.count()) == ({"new": 0, "unchanged": 2, "refused": 0}, 2)

    def test_threads_have_titles_and_tags(self, load: Import, csv_file: Any) -> None:
        load.path(csv_file("id,title,tags,user_id", ["t1", "'=Rain", '["x"]', "u"], ["t2", "Sun", "", ""]))

        thread = said.thread("t1")
        assert (thread.name, thread.tags, thread.user_id, thread.source) == ("=Rain", ["x"], "u", "csv")

    def test_feedback_finds_its_message_by_its_place(self, load: Import, csv_file: Any) -> None:
        load.path(csv_file("thread_id,role,content", ["a", "user", "Hi"], ["a", "assistant", "Hello"], name="a.csv"))

        load.path(
            csv_file(
                "feedback_id,thread_id,message_index,rating,score,label,comment,created_at",
                ["f1", "a", "1", "down", "2", "Bad", "-no", "2025-01-12T06:05:13Z"],
                ["f2", "a", "1", "up", "", "", "", "2025-01-12T06:05:14Z"],
                ["f3", "a", "7", "up", "", "", "", ""],
                ["f4", "a", "x", "up", "", "", "", ""],
                ["f5", "a", "1", "sideways", "", "", "", ""],
            )
        )

        assert said.opinions() == [("down", "-no", "f1", "Hello"), ("up", "", "f2", "Hello")]
        assert said.thread("a").feedback == "mixed"
        assert load.reasons() == [
            "f4: Its “message_index” is no number from 0 on: 'x'.",
            "f5: Its rating 'sideways' is neither up nor down.",
            "f3: Its message number 7 is not in the thread a.",
        ]

    def test_ids_may_be_anything(self, load: Import, csv_file: Any) -> None:
        load.path(csv_file("thread_id,id,role,content", ["a b", "m 1", "user", "Hi"], name="a.csv"))

        load.path(csv_file("thread_id,message_id,rating", ["a b", "m 1", "up"]))

        assert said.lines(said.thread("a b")) == ["user: Hi"]
        assert [rating for rating, *_ in said.opinions()] == ["up"]

    def test_messages_of_several_threads_may_have_the_same_ids(self, load: Import, csv_file: Any) -> None:
        rows = [[thread, str(n), "user", f"{thread}{n}"] for thread in "ab" for n in range(2)]

        load.path(csv_file("thread_id,id,role,content", *rows, ["a", "1", "user", "another"]))

        assert said.lines(said.thread("b")) == ["user: b0", "user: b1"]
        assert [refusal.reason for refusal in load.refused] == [
            "Another message with this id was read before, at rows.csv, row 3; that one was taken."
        ]

    def test_feedback_without_ids_is_known_by_what_it_says(self, load: Import, csv_file: Any) -> None:
        load.path(csv_file("thread_id,role,content", ["a", "user", "Hi"], ["a", "assistant", "Ho"], name="a.csv"))
        columns = "thread_id,message_index,rating,comment"
        load.path(csv_file(columns, ["a", "1", "up", "x"], ["a", "1", "up", "y"]))

        again = load.path(csv_file(columns, ["a", "1", "down", "z"], ["a", "1", "up", "y"]))

        assert again["feedback"] == {"new": 1, "unchanged": 1, "refused": 0}
        assert sorted(comment for _, comment, *_ in said.opinions()) == ["x", "y", "z"]

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "windows-1252"])
    def test_in_any_of_the_usual_encodings(self, load: Import, csv_file: Any, encoding: str) -> None:
        load.path(csv_file("thread_id,role,content", ["a", "user", "Größe: 5 €"], encoding=encoding))

        assert said.lines(said.thread("a")) == ["user: Größe: 5 €"]

    def test_with_other_separators(self, load: Import, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("thread_id;role;content\na;user;Hi, you\n")

        load.path(tmp_path / "a.csv")

        assert said.lines(said.thread("a")) == ["user: Hi, you"]

    def test_rows_that_do_not_fit_are_refused_alone(self, load: Import, csv_file: Any) -> None:
        load.path(
            csv_file(
                "thread_id,role,content",
                ["a", "user", "Hi", "more"],
                ["a", "robot", "Beep"],
                ["a", "", "Who?"],
                ["", "user", "Where?"],
                ["a", "user"],
                ["a", "user", "Good"],
            )
        )

        assert said.lines(said.thread("a")) == ["user: ", "user: Good"]
        assert [str(refusal).partition(": ")[0] for refusal in load.refused] == [
            "rows.csv, row 2",
            "rows.csv, row 5",
            "rows.csv, row 3",
            "rows.csv, row 4",
        ]

    def test_cells_may_be_longer_than_the_library_allows_by_itself(self, load: Import, csv_file: Any) -> None:
        load.path(csv_file("thread_id,role,content", ["a", "user", "x" * 200_000]))

        assert len(said.messages(said.thread("a"))[0]["content"]) == 200_000

    def test_with_columns_that_are_of_nothing_say_so(self, load: Import, csv_file: Any) -> None:
        load.path(csv_file("colour,weight", ["red", "7"]), format_="csv")

        assert load.reasons() == [": Its columns are not those of threads, messages or feedback."]


def test_times_of_this_moment_are_given_where_a_file_has_none(load: Import, csv_file: Any) -> None:
    before = timezone.now()

    load.path(csv_file("thread_id,role,content", ["a", "user", "Hi"]))

    assert before <= said.thread("a").created <= timezone.now()
