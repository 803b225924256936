"""The text of files of every kind, and of files that mean harm."""

from __future__ import annotations

import io
import time
from contextlib import suppress

import pytest

from ai.exceptions import InvalidInput
from ai.stores.extraction import DOCX, can_read, text_of_file
from tests.stores import documents


def text_of(content: bytes, name: str, mime_type: str = "application/octet-stream", most: int = 10_000) -> str:
    return text_of_file(content, name=name, mime_type=mime_type, most_characters=most)


class TestCanRead:
    @pytest.mark.parametrize(
        ("mime_type", "name"),
        [
            ("text/plain", "notes"),
            ("text/markdown; charset=utf-8", "readme"),
            ("application/octet-stream", "Main.JAVA"),
            ("application/octet-stream", "rows.csv"),
            ("application/json", "x"),
            ("application/pdf", "x"),
            ("application/octet-stream", "report.PDF"),
            (DOCX, "letter"),
            ("application/zip", "letter.docx"),
            ("", "page.html"),
        ],
    )
    def test_knows_texts_and_documents(self, mime_type: str, name: str) -> None:
        assert can_read(mime_type, name)

    @pytest.mark.parametrize(
        ("mime_type", "name"),
        [("image/png", "cat.png"), ("application/zip", "all.zip"), ("application/octet-stream", "a.exe"), ("", "")],
    )
    def test_knows_what_has_no_text(self, mime_type: str, name: str) -> None:
        assert not can_read(mime_type, name)
        with pytest.raises(InvalidInput, match="cannot be read as text"):
            text_of(b"abc", name, mime_type)


class TestText:
    @pytest.mark.parametrize(
        "encoding",
        ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"],
    )
    def test_tells_the_encoding(self, encoding: str) -> None:
        text = "Größe: 3 € · “naïve” cafés\nnext line"

        assert text_of(text.encode(encoding), "notes.txt") == text

    @pytest.mark.parametrize("encoding", ["koi8-r", "shift_jis", "iso-8859-2"])
    def test_believes_the_encoding_that_a_file_declares(self, encoding: str) -> None:
        said = {"koi8-r": "Привет", "shift_jis": "注文番号", "iso-8859-2": "Łódź"}[encoding]
        text = f'<?xml version="1.0" encoding="{encoding}"?>\n<a>{said}</a>'

        assert text_of(text.encode(encoding), "a.xml") == text

    def test_reads_what_is_latin_1_only(self) -> None:
        assert text_of(b"caf\xe9 \x81 ok, and more words", "a.txt") == "café \x81 ok, and more words"

    def test_makes_line_ends_alike(self) -> None:
        assert text_of(b"one\r\ntwo\rthree\n", "a.txt") == "one\ntwo\nthree\n"

    def test_keeps_nothing_that_a_database_refuses(self) -> None:
        assert "\x00" not in text_of(b"many words and one \x00 in them", "a.txt")

    def test_is_cut_and_not_inside_a_character(self) -> None:
        assert text_of("é".encode() * 1000, "a.txt", most=7) == "é" * 7

    def test_reads_no_more_of_an_open_file_than_it_needs(self) -> None:
        file = io.BytesIO(b"x" * 1_000_000)

        text_of_file(file, name="a.txt", mime_type="text/plain", most_characters=10)

        assert file.tell() < 100

    @pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a.py", "a.md"])
    def test_leaves_data_and_code_as_they_are(self, name: str) -> None:
        content = b'{"a": 1}\n# x, "y"\n'

        assert text_of(content, name) == content.decode()

    def test_is_empty_for_an_empty_file(self) -> None:
        assert text_of(b"", "a.txt") == ""

    def test_refuses_what_only_calls_itself_text(self) -> None:
        with pytest.raises(InvalidInput, match=r"'a\.txt' is not text"):
            text_of(bytes(range(256)) * 10, "a.txt")


class TestHtml:
    def test_gives_what_people_read(self) -> None:
        page = (
            "<html><head><title>Shop</title><style>p {}</style><script>var x = '<p>no</p>'</script></head><body>"
            "<h1>Returns</h1><p>Within <b>14</b> days &amp; free.</p><!-- secret --><ul><li>one<li>two</ul>"
            "<table><tr><th>Day<th>Time<tr><td>Mon<td>9</table></body></html>"
        )

        lines = [line.strip() for line in text_of(page.encode(), "a.html").splitlines() if line.strip()]

        assert lines == ["Shop", "Returns", "Within 14 days & free.", "one", "two", "Day | Time", "Mon | 9"]

    def test_believes_the_charset_of_the_page(self) -> None:
        page = '<meta charset="koi8-r"><p>Привет</p>'

        assert text_of(page.encode("koi8-r"), "a.html").strip() == "Привет"

    @pytest.mark.parametrize(
        "page",
        [
            b"<b>" * 300_000,
            b"x" * 17_000_000,
            b"<!--" * 150_000 + b"x",
            b"<script>" * 150_000,
            b"<div>" * 150_000,
            b"<!" * 150_000,
        ],
        ids=["tags", "size", "comments", "scripts", "depth", "declarations"],
    )
    def test_bears_pages_that_mean_harm(self, page: bytes) -> None:
        begun = time.monotonic()

        with suppress(InvalidInput):
            text_of(page, "a.html")

        assert time.monotonic() - begun < 30


class TestPdf:
    @pytest.mark.parametrize("compressed", [False, True])
    def test_gives_the_text_of_every_page(self, *, compressed: bool) -> None:
        content = documents.pdf("First café page", "Second page", compressed=compressed)

        assert text_of(content, "a.pdf").split("\n") == ["First café page", "Second page", ""]

    def test_reads_an_open_file(self) -> None:
        file = io.BytesIO(documents.pdf("Hello"))

        assert text_of_file(file, name="x", mime_type="application/pdf", most_characters=99).strip() == "Hello"

    def test_stops_when_there_is_enough(self) -> None:
        assert text_of(documents.pdf(*["word"] * 50), "a.pdf", most=12) == "word\nword\nwo"

    def test_is_empty_for_pages_without_text(self) -> None:
        assert text_of(documents.pdf(""), "a.pdf").strip() == ""

    @pytest.mark.parametrize(
        "content", [b"", b"%PDF-1.4", b"%PDF-1.4 nothing", documents.pdf("x")[:300], b"\x00" * 1000, b"plain words"]
    )
    def test_says_of_a_broken_one_that_it_is(self, content: bytes) -> None:
        with pytest.raises(InvalidInput, match=r"The file 'a\.pdf' cannot be read: it is no sound PDF"):
            text_of(content, "a.pdf")

    def test_says_of_a_locked_one_that_it_is(self) -> None:
        from pypdf import PdfReader, PdfWriter

        writer = PdfWriter(clone_from=PdfReader(io.BytesIO(documents.pdf("secret"))))
        writer.encrypt("swordfish", algorithm="AES-256")
        out = io.BytesIO()
        writer.write(out)

        with pytest.raises(InvalidInput, match="protected by a password"):
            text_of(out.getvalue(), "a.pdf")

    def test_bears_one_that_unfolds_without_end(self) -> None:
        begun = time.monotonic()

        with suppress(InvalidInput):
            assert text_of(documents.endless_pdf(300_000_000), "a.pdf").strip() == ""

        assert time.monotonic() - begun < 60


class TestDocx:
    def test_gives_paragraphs_and_tables_in_their_order(self) -> None:
        content = documents.docx("Intro", "End", table=(("Day", "Time"), ("Mon", "9 to 5")))

        assert text_of(content, "a.docx").split("\n") == ["Intro", "Day | Time", "Mon | 9 to 5", "End", ""]

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"words", documents.docx("x")[:400]])
    def test_says_of_a_broken_one_that_it_is(self, content: bytes) -> None:
        with pytest.raises(InvalidInput, match="no sound Word document"):
            text_of(content, "a.docx")

    def test_refuses_an_archive_that_unfolds_without_end(self) -> None:
        with pytest.raises(InvalidInput, match="unfolds to more than any document needs"):
            text_of(documents.bomb(300 * 2**20), "a.docx")
