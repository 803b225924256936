"""Reads one document and writes its text: a program, run by `ai.stores.extraction` with little memory and time.

    python -I documents.py pdf 100000 120 1073741824 < file.pdf

The arguments are the kind (pdf, docx, html), the most characters wanted, and the seconds and bytes of memory there are. The
text goes to standard output as UTF-8. When it fails, the last line on standard error says why, for people.
"""

from __future__ import annotations

import io
import logging
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from typing import IO, Any

#: A web page of more is no page, and its tree would be many times as big.
MOST_HTML_BYTES = 16 * 1024 * 1024
MOST_TAGS = 200_000

_BLOCKS = """
    address article aside blockquote body br dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6
    header hr html legend li main nav ol option p pre section summary table tbody thead title tr ul
"""
BLOCKS = frozenset(_BLOCKS.split())
CELLS = frozenset({"td", "th"})
_UNREAD = re.compile(r"(?is)<!--.*?(?:-->|\Z)|<(script|style|template|noscript)\b.*?(?:</\1\s*>|\Z)")

#: What an archive may unfold to.
MOST_UNFOLDED_BYTES = 256 * 1024 * 1024

_LINES = re.compile(r"[ \t]*\n[ \t\n]*\n[ \t]*")


class Unreadable(Exception):
    """The argument says why."""


def limit(seconds: int, memory: int) -> None:
    """Let this process have no more than that, where the system can see to it."""
    try:
        import resource
    except ImportError:  # no such thing on this system; the parent still looks at the clock
        return
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def pdf(content: IO[bytes]) -> Iterator[str]:
    """The text of each page."""
    from pypdf import PdfReader
    from pypdf.errors import PdfReadError, PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(content)
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("it is protected by a password.")
        pages = list(range(len(reader.pages)))
    except PyPdfError as error:
        raise Unreadable(f"it is no sound PDF ({error}).") from None
    failed = 0
    for number in pages:
        try:
            yield reader.pages[number].extract_text()
        except (PdfReadError, PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError):
            failed += 1
    if failed and failed == len(pages):
        raise Unreadable("it is no sound PDF (none of its pages can be read).")


def docx(content: IO[bytes]) -> Iterator[str]:
    """The text of each paragraph and each row of a table."""
    import docx as reader
    from docx.table import Table

    try:
        with zipfile.ZipFile(content) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_UNFOLDED_BYTES:
                raise Unreadable("it unfolds to more than any document needs.")
        content.seek(0)
        document = reader.Document(content)
    except (zipfile.BadZipFile, KeyError, ValueError, SyntaxError) as error:
        raise Unreadable(f"it is no sound Word document ({error}).") from None
    for block in document.iter_inner_content():
        if isinstance(block, Table):
            yield from _rows(block)
        else:
            yield block.text


def _rows(table: Any) -> Iterator[str]:
    for row in table.rows:
        cells: dict[Any, str] = {}
        for cell in row.cells:  # a merged cell comes once for each cell it covers
            cells.setdefault(cell._tc, " ".join(cell.text.split()))
        yield " | ".join(cells.values())


def html(content: IO[bytes]) -> Iterator[str]:
    """The text of a page, its title first. No tree is made: hostile pages nest without end."""
    from bs4.dammit import UnicodeDammit

    page = content.read(MOST_HTML_BYTES + 1)
    if len(page) > MOST_HTML_BYTES or page.count(b"<") > MOST_TAGS:
        raise Unreadable("it is too big for a web page.")
    markup = UnicodeDammit(page, is_html=True).unicode_markup or page.decode("latin-1")
    # What nobody reads goes first: unclosed, the parser would look for its end again and again.
    parser = _Text()
    parser.feed(_UNREAD.sub(" ", markup))
    parser.close()
    yield _LINES.sub("\n\n", "".join(parser.pieces)).strip()


class _Text(HTMLParser):
    """Keeps what people read."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._is_row_begun = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag in BLOCKS:
            self.pieces.append("\n")
            self._is_row_begun = False
        elif tag in CELLS:
            self.pieces.append(" | " if self._is_row_begun else "")
            self._is_row_begun = True

    def handle_endtag(self, tag: str) -> None:
        if tag in BLOCKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)


def joined(pieces: Iterable[str], most: int) -> Iterator[str]:
    """The pieces with line ends between them, until there are so many characters."""
    left = most
    for piece in pieces:
        yield piece[:left] + "\n"
        left -= len(piece) + 1
        if left <= 0:
            return


READERS = {"pdf": pdf, "docx": docx, "html": html}


def main(kind: str, most: int) -> int:
    """Read standard input; the exit status."""
    content = io.BytesIO(sys.stdin.buffer.read()) if not sys.stdin.seekable() else sys.stdin.buffer
    try:
        for text in joined(READERS[kind](content), most):
            sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        sys.stdout.buffer.flush()
    except Unreadable as error:
        sys.stderr.write(f"\n{' '.join(str(error).split())}\n")
    except (MemoryError, RecursionError):
        sys.stderr.write("\nit takes too much memory.\n")
    except Exception as error:  # noqa: BLE001 - whatever a reader makes of hostile bytes
        sys.stderr.write(f"\nit is broken ({type(error).__name__}).\n")
    else:
        return 0
    return 1


if __name__ == "__main__":
    limit(int(sys.argv[3]), int(sys.argv[4]))
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
