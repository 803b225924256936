"""Files that mean harm or were badly written: each has a clear outcome, and the threads beside it arrive."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ai.exceptions import InvalidInput
from ai.models import ChatThread, Message
from tests.services.imports import said
from tests.services.imports.conftest import Import
from tests.services.imports.test_chatgpt import ASKED, ROOT, conversation, node

pytestmark = pytest.mark.django_db


def talk(key: str, *texts: Any) -> dict[str, Any]:
    return {"id": key, "messages": [{"role": "user", "content": text} for text in texts]}


GOOD = talk("good", "All is well")


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("x" * 1_048_576, "x" * 1_048_576),
        ("a\x00b", "a\ufffdb"),
        ("\x01\x02\x1b[31m\x7f\x9f", "\x01\x02\x1b[31m\x7f\x9f"),
        ("\ud800 and \udfff", "\ufffd and \ufffd"),
        ("\u202eevil\u202c שלום مرحبا", "\u202eevil\u202c שלום مرحبا"),
        ("👩‍👩‍👧‍👦🏳️‍🌈e\u0301", "👩‍👩‍👧‍👦🏳️‍🌈e\u0301"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("=HYPERLINK(1)", "=HYPERLINK(1)"),
    ],
)
def test_any_text_is_kept(load: Import, text: str, kept: str) -> None:
    counts = load(talk("t", text), GOOD)

    assert said.messages(said.thread("t"))[0]["content"] == kept
    assert counts["thread"] == {"new": 2, "unchanged": 0, "refused": 0}
    assert load(talk("t", text), GOOD)["message"] == {"new": 0, "unchanged": 2, "refused": 0}


class TestDepth:
    def test_of_a_line(self, load: Import, tmp_path: Path) -> None:
        path = tmp_path / "a.jsonl"
        path.write_text(f'{{"id": "t", "messages": [{deep(20_000)}]}}\n{json.dumps(GOOD)}\n')

        load.path(path)

        assert [row.external_id for row in ChatThread.objects.all()] == ["good"]
        assert load.refused[0].place == "a.jsonl, line 1"

    def test_of_an_item(self, load: Import, tmp_path: Path) -> None:
        path = tmp_path / "conversations.json"
        path.write_text(f'[{{"mapping": {deep(20_000)}}}, {json.dumps(conversation(ROOT, ASKED))}]')

        load.path(path)

        assert said.lines(said.thread("c1")) == ["user: What is up?"]
        assert load.refused[0].place == "conversations.json [0]"

    def test_of_a_value_that_can_be_read_and_not_be_kept(self, load: Import) -> None:
        load({**talk("t", "x"), "metadata": {"deep": json.loads(deep(200))}}, GOOD, format_="chat")

        assert load.reasons() == ["t: It is nested more than 100 levels deep."]
        assert Message.objects.count() == 1


class TestOrder:
    def test_messages_that_are_out_of_order_stay_as_they_are_told(self, load: Import) -> None:
        first = {"role": "user", "content": "first", "created_at": 1_700_000_500}
        second = {"role": "user", "content": "second", "created_at": 1_700_000_000}

        load({"id": "t", "messages": [first, second]})

        assert said.lines(said.thread("t")) == ["user: first", "user: second"]

    def test_a_node_may_come_before_its_parent(self, load: Import) -> None:
        load(conversation(node("a", "q", "Fine.", role="assistant"), ASKED, ROOT, current="a"))

        assert said.lines(said.thread("c1")) == ["user: What is up?", "assistant: Fine."]

    def test_two_messages_with_one_id_refuse_their_thread(self, load: Import) -> None:
        twice = [{"id": "m", "role": "user", "content": text} for text in "ab"]

        load({"id": "t", "messages": twice}, GOOD)

        assert load.reasons() == ["t: Message 2: Another message of the thread has its id, m."]
        assert [row.external_id for row in ChatThread.objects.all()] == ["good"]


def truncated(path: Path) -> Path:
    lines = "\n".join(json.dumps(talk(f"t{n}", f"{n} {n * 7919}")) for n in range(4000))
    path = path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(lines.encode())[:-2000])
    return path


def bomb(path: Path) -> Path:
    path = path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jsonl", json.dumps(GOOD) + "\n")
        with archive.open("b.jsonl", "w") as inside:
            line = (json.dumps(talk("b", "0" * 1_000_000)) + "\n").encode()
            for _ in range(80):
                inside.write(line)
        archive.writestr("c.jsonl", json.dumps(talk("c", "After")) + "\n")
    return path


def gzip_bomb(path: Path) -> Path:
    path = path / "bomb.jsonl.gz"
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as inside:
        inside.write((json.dumps(GOOD) + "\n").encode())
        for _ in range(100):
            inside.write(b" " * 1_000_000 + b"\n")
    path.write_bytes(packed.getvalue())
    return path


class TestPacked:
    def test_a_file_that_breaks_off_is_taken_as_far_as_it_goes(self, load: Import, tmp_path: Path) -> None:
        load.path(truncated(tmp_path))

        assert 2000 < ChatThread.objects.count() < 4000
        assert "It cannot be read to its end" in load.refused[-1].reason

    @pytest.mark.parametrize("make", [bomb, gzip_bomb])
    def test_a_bomb_is_left_and_the_files_beside_it_are_taken(
        self, load: Import, tmp_path: Path, make: Callable[[Path], Path]
    ) -> None:
        load.path(make(tmp_path))

        assert "It unpacks to more than 200 times its size" in load.refused[-1].reason
        assert "good" in {row.external_id for row in ChatThread.objects.all()}

    def test_blank_lines_without_end_are_left(self, load: Import, tmp_path: Path) -> None:
        path = tmp_path / "blank.jsonl.gz"
        path.write_bytes(
            gzip.compress(json.dumps(GOOD).encode() + b"\n" * 200_000 + json.dumps(talk("b", "x")).encode())
        )

        load.path(path)

        assert load.refused[0].reason == "From line 2 on it holds blank lines, more than 100,000 of them."
        assert [row.external_id for row in ChatThread.objects.all()] == ["good"]

    def test_nothing_is_ever_unpacked_to_disk(self, load: Import, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "slip.zip", "w") as archive:
            archive.writestr("../../evil.jsonl", json.dumps(GOOD))
            archive.writestr(f"{tmp_path}/absolute.jsonl", json.dumps(talk("b", "Hi")))

        counts = load.path(tmp_path / "slip.zip")

        assert counts["thread"]["new"] == 2
        assert [path.name for path in tmp_path.parent.rglob("evil.jsonl")] == []
        assert not (tmp_path / "absolute.jsonl").exists()

    def test_an_ending_does_not_decide(self, load: Import, tmp_path: Path) -> None:
        packed = tmp_path / "export.json"
        packed.write_bytes(gzip.compress(json.dumps([GOOD]).encode()))
        with zipfile.ZipFile(tmp_path / "threads.dat", "w") as archive:
            archive.writestr("a.jsonl", json.dumps(talk("b", "Hi")))

        load.path(packed)
        load.path(tmp_path / "threads.dat")

        assert {row.external_id for row in ChatThread.objects.all()} == {"good", "b"}


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"\x89PNG\r\n\x1a\n", b"hello world", b"null", b"[]", b"{}"])
def test_what_holds_no_conversation_names_the_formats(load: Import, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)

    with pytest.raises(InvalidInput, match=r"What can be imported: .*ChatGPT data export"):
        load.path(path)
