"""The text of files: plain text in any encoding that can be told, HTML, PDF and DOCX.

Documents come from anybody, and their readers can be made to use all memory and time there is. So documents are read in a
process of their own (`ai/stores/documents.py`) that has little of either; plain text is decoded here.
"""

from __future__ import annotations

import codecs
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from typing import IO, Any

from ai.exceptions import InvalidInput
from ai.stores.serialization import clean_text

#: What one document may take.
SECONDS = 120.0
MEMORY_BYTES = 1024 * 1024 * 1024

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_DOCUMENTS = {".pdf": "pdf", ".docx": "docx", ".html": "html", ".htm": "html", ".xhtml": "html"}
_DOCUMENT_TYPES = {"application/pdf": "pdf", DOCX: "docx", "text/html": "html", "application/xhtml+xml": "html"}

_ENDINGS = """
    bat bash c cc cfg clj conf cpp cs css csv dart diff ex exs go gql graphql h hpp hs ini ipynb java jl js json jsonl jsx kt
    less log lua m markdown md mjs ml ndjson patch php pl proto ps1 py r rb rs rst scala scss sh sql srt svelte svg swift tex
    toml ts tsv tsx txt vtt vue xml yaml yml zig
"""
#: Read as text whatever their content was taken for: UTF-16 looks binary.
_TEXT_ENDINGS = frozenset(f".{ending}" for ending in _ENDINGS.split())

_TYPES = """
    graphql javascript json jsonl ld+json ndjson sql toml typescript x-ndjson x-sh x-tex x-yaml xml yaml
"""
_TEXT_TYPES = frozenset(f"application/{name}" for name in _TYPES.split()) | {"image/svg+xml"}

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"(?:charset|encoding|coding)\s*[=:]\s*[\"']?([A-Za-z][-\w.]{1,40})")

#: More control characters than one in so many, and it is no text.
_CONTROLS_ONE_IN = 20
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def can_read(mime_type: str, name: str) -> bool:
    """Whether a file of this type or name may have a text that is found here."""
    return _kind(mime_type, name) is not None


def text_of_file(file: IO[bytes] | bytes, *, name: str, mime_type: str, most_characters: int) -> str:
    """The text of a file, at most so many characters of it; empty where it has none, as a scan.

    Args:
        file: its content, or an open file, read from where it stands.
        name: by its ending documents are told from each other; it is in the messages of errors.

    Raises:
        InvalidInput: it is broken or encrypted, of a kind that cannot be read, or takes too much to read.
    """
    kind = _kind(mime_type, name)
    if kind is None:
        raise InvalidInput(f"{_label(name)} cannot be read as text: its type is {mime_type or 'unknown'}.")
    if kind == "text":
        text = _decoded(_head(file, most_characters * 4 + 4), name)
    else:
        text = _read_apart(file, kind=kind, name=name, most_characters=most_characters)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return clean_text(text)[:most_characters]


def _kind(mime_type: str, name: str) -> str | None:
    base, ending = mime_type.partition(";")[0].strip().lower(), PurePosixPath(name.lower()).suffix
    if found := _DOCUMENTS.get(ending) or _DOCUMENT_TYPES.get(base):
        return found
    if base.startswith("text/") or base in _TEXT_TYPES or ending in _TEXT_ENDINGS:
        return "text"
    return None


def _head(file: IO[bytes] | bytes, most: int) -> bytes:
    return bytes(file[:most]) if isinstance(file, bytes | bytearray) else file.read(most)


def _decoded(content: bytes, name: str) -> str:
    for encoding in _encodings(content):
        try:
            # What is cut may end inside a character.
            text = codecs.getincrementaldecoder(encoding)().decode(content)
        except (UnicodeDecodeError, LookupError, AttributeError):
            continue
        if len(_CONTROLS.findall(text)) * _CONTROLS_ONE_IN <= len(text):
            return text
    raise InvalidInput(f"{_label(name)} is not text: save it as UTF-8 and upload it again.")


def _encodings(content: bytes) -> Iterator[str]:
    """What the content may be encoded in, the likeliest first."""
    yield from (encoding for mark, encoding in _MARKS if content.startswith(mark))
    if content[:4096].count(0) * 4 > len(content[:4096]):
        yield "utf-16-le" if content[1:4096:2].count(0) > content[:4096:2].count(0) else "utf-16-be"
    yield "utf-8"
    if declared := _DECLARED.search(content[:1024]):
        yield declared[1].decode("ascii").lower()
    yield "cp1252"
    yield "latin-1"


def _read_apart(file: IO[bytes] | bytes, *, kind: str, name: str, most_characters: int) -> str:
    """Read a document in a process of its own."""
    script = Path(__file__).with_name("documents.py")
    limits = (str(most_characters), str(int(SECONDS)), str(MEMORY_BYTES))
    with TemporaryFile() as given, TemporaryFile() as found:
        if isinstance(file, bytes | bytearray):
            given.write(file)
        else:
            shutil.copyfileobj(file, given)
        given.seek(0)
        problem = _run([sys.executable, "-I", str(script), kind, *limits], given, found)
        if problem:
            raise InvalidInput(f"{_label(name)} cannot be read: {problem}")
        found.seek(0)
        return found.read().decode()


def _run(command: list[str], given: Any, found: Any) -> str:
    """Why the document cannot be read; empty when it has been."""
    # Its environment has no secrets in it, and no Python settings.
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR", "SYSTEMROOT") if name in os.environ}
    kept |= {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    try:
        ended = subprocess.run(  # noqa: S603 - our own script
            command, stdin=given, stdout=found, stderr=subprocess.PIPE, env=kept, timeout=SECONDS * 1.5, check=False
        )
    except subprocess.TimeoutExpired:
        return "it takes too long."
    if ended.returncode == 0:
        return ""
    if ended.returncode < 0:
        return "it takes too long or too much memory."
    said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
    return said[-1][:300] if said else "it is broken."


def _label(name: str) -> str:
    return f"The file {name[:100]!r}"
