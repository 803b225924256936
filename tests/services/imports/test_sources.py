"""Where dumps come from: folders, zips, documents and lines, compressed or not, and what is wrong with them."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ai.exceptions import InvalidInput, NotFound
from ai.services.imports import assistants, sources
from ai.services.imports.drafts import Refusal
from ai.services.imports.reports import Report
from tests.services.imports import dumps


def read(path: Path, **values: Any) -> tuple[list[tuple[str, Any]], list[str]]:
    """Places with values, and refusals."""
    refused: list[Refusal] = []
    found = [(document.place, document.value) for document in sources.documents(path, refuse=refused.append, **values)]
    return found, [str(refusal) for refusal in refused]


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_a_document_is_one_value(tmp_path: Path) -> None:
    path = written(tmp_path / "thread.json", b'\xef\xbb\xbf{"id": 1}')

    assert read(path) == ([("thread.json", {"id": 1})], [])


@pytest.mark.parametrize("name", ["dump.jsonl", "dump.ndjson", "dump.json"])
def test_lines_are_a_value_each(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, b'{"id": 1}\n\n{"id": 2}')

    assert read(path) == ([(f"{name}, line 1", {"id": 1}), (f"{name}, line 3", {"id": 2})], [])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_lines_may_begin_with_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    text = ("\ufeff" if encoding == "utf-16-le" else "") + '{"id": "é"}\n{"id": 2}\n'
    path = written(tmp_path / "dump.jsonl", text.encode(encoding))

    assert [value for _, value in read(path)[0]] == [{"id": "é"}, {"id": 2}]


@pytest.mark.parametrize(("name", "places"), [("a.json.gz", ["a.json.gz"]), ("a.gz", ["a.gz, line 1"])])
def test_both_may_be_compressed(tmp_path: Path, name: str, places: list[str]) -> None:
    path = written(tmp_path / name, gzip.compress(b'{"id": 1}'))

    assert [place for place, _ in read(path)[0]] == places


def test_a_folder_is_read_by_name_without_what_is_hidden(tmp_path: Path) -> None:
    for name in ("b.json", "a/z.jsonl", ".git/c.json", "a/.d.json", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")

    assert [place for place, _ in read(tmp_path)[0]] == ["a/z.jsonl, line 1", "b.json"]


def test_a_zip_is_read_as_its_folder_would_be(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "dump.zip", "w") as archive:
        for name in ("../outside.json", "threads/a.json", "__MACOSX/threads/._a.json", "lines.jsonl"):
            archive.writestr(name, "[1]\n")

    found, refused = read(tmp_path / "dump.zip")

    assert [place for place, _ in found] == ["../outside.json [0]", "lines.jsonl, line 1", "threads/a.json [0]"]
    assert refused == []
    assert not (tmp_path.parent / "outside.json").exists()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"id": ', "The line is no JSON that can be read"),
        (b'{"id": "\xff"}', "The line is no JSON that can be read"),
        (b"\x00\x00", "The line is no JSON that can be read"),
        (b'{"n": ' + b"9" * 5000 + b"}", "The line is no JSON that can be read"),
        (b"[" * 100_000, "The line is no JSON that can be read"),
    ],
)
def test_a_line_that_is_no_json_is_refused_alone(tmp_path: Path, line: bytes, why: str) -> None:
    path = written(tmp_path / "dump.jsonl", b"1\n" + line + b"\n3\n")

    found, refused = read(path)

    assert [value for _, value in found] == [1, 3]
    assert [reason.startswith(f"dump.jsonl, line 2: object: {why}") for reason in refused] == [True]


def test_a_document_that_is_no_json_is_refused_alone(tmp_path: Path) -> None:
    written(tmp_path / "a.json", b'{"id": 1')
    written(tmp_path / "b.json", b'{"id": 2}')

    found, refused = read(tmp_path)

    assert found == [("b.json", {"id": 2})]
    assert refused[0].startswith("a.json: file: It is no JSON:")


def test_what_is_too_long_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "a.json", json.dumps("x" * 20).encode())
    written(tmp_path / "b.jsonl", b'"' + b"x" * 50 + b'"\n"short"\n')

    found, refused = read(tmp_path, most_bytes=10)

    assert found == [("b.jsonl, line 2", "short")]
    assert [reason.split(":")[0] for reason in refused] == ["a.json", "b.jsonl, line 1"]


def broken_gzip(path: Path) -> Path:
    data = "".join(f"{n}\n" for n in range(50_000)).encode()
    return written(path / "dump.jsonl.gz", gzip.compress(data)[:-5000])


def no_gzip(path: Path) -> Path:
    return written(path / "dump.jsonl.gz", b"1\n")


def broken_zip(path: Path) -> Path:
    with zipfile.ZipFile(path / "dump.zip", "w") as archive:
        archive.writestr("a.jsonl", "1\n" * 100)
    data = bytearray((path / "dump.zip").read_bytes())
    data[60] ^= 0xFF
    return written(path / "dump.zip", bytes(data))


@pytest.mark.parametrize("make", [broken_gzip, no_gzip, broken_zip])
def test_a_file_that_breaks_off_is_read_as_far_as_it_goes(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    found, refused = read(make(tmp_path))

    assert (len(found) > 10_000) == (make is broken_gzip)
    assert [": file: It cannot be read to its end" in reason for reason in refused] == [True]


def test_a_file_that_nobody_may_read_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "b.json", b"1")
    (tmp_path / "a.json").symlink_to(tmp_path / "missing" / "a.json")

    assert read(tmp_path)[0] == [("b.json", 1)]


@pytest.mark.parametrize("name", ["empty", "empty.zip", "no.zip"])
def test_what_holds_nothing_says_so(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "empty":
        path.mkdir()
    elif name == "empty.zip":
        zipfile.ZipFile(path, "w").close()
    else:
        path.write_text("a,b")

    with pytest.raises(InvalidInput):
        read(path)


def test_a_path_that_leads_nowhere_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no file or folder"):
        read(tmp_path / "gone")


def peak(path: Path) -> int:
    """The most memory, in bytes, that reading all threads of a dump takes."""
    tracemalloc.start()
    try:
        for _ in assistants.read(sources.documents(path, refuse=lambda _: None), Report()):
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("a.json", b'{"a": [', b"]}"),
        ("a.jsonl", b"[", b"]\n"),
        ("a.json", b"[[", b"]]"),
        ("a.json.gz", b'{"a": [', b"]}"),
    ],
    ids=["a document", "a line", "an item", "packed"],
)
def test_lists_without_end_are_refused_before_they_are_in_memory(
    tmp_path: Path, name: str, before: bytes, after: bytes
) -> None:
    data = before + b"[]," * 1_500_000 + b"[]" + after
    path = written(tmp_path / name, gzip.compress(data, 1) if name.endswith(".gz") else data)

    found, refused = read(path)

    assert found == []
    assert "more than 1,000,000 lists and objects" in refused[0]


def test_a_document_that_unpacks_to_much_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json.gz", gzip.compress(b'{"a": "' + b"x" * 33 * sources.MEGABYTE + b'"}', 1))

    found, refused = read(path)

    assert found == []
    assert "It is larger than 33,554,432 bytes" in refused[0]


def test_memory_does_not_grow_with_the_lines(tmp_path: Path) -> None:
    def dump(threads: int) -> Path:
        talks = [dumps.talk(f"t{n}") for n in range(threads)]
        return dumps.lines(tmp_path / f"{threads}.jsonl", *(part for talk in talks for parts in talk for part in parts))

    assert peak(dump(400)) < peak(dump(100)) * 1.5
