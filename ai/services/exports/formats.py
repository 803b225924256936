"""The formats of an export: what each holds, for which rows it is, and how its file is put together from parts."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from ai.exceptions import InvalidInput
from ai.services.exports import conversations, rows, transcripts, tuning
from ai.services.exports.rows import Written
from ai.services.tables import TABLES

#: What is in the files, and how, has this version; a reader of another version may not understand them.
SCHEMA_VERSION = 1

#: Every entry of an archive has this time, so that the same content makes the same file.
EPOCH = (1980, 1, 1, 0, 0, 0)

Writer = Callable[..., Written]
Assembler = Callable[[Iterable[IO[bytes]], IO[bytes]], None]

NOUNS = tuple(TABLES)
THREADS = ("threads",)


def join(parts: Iterable[IO[bytes]], out: IO[bytes]) -> None:
    """One part behind the other."""
    for part in parts:
        shutil.copyfileobj(part, out, 256 * 1024)


def archive(parts: Iterable[IO[bytes]], out: IO[bytes]) -> None:
    """A zip of the files that the parts have a JSON line `[name, text]` of each for."""
    with ZipFile(out, "w", ZIP_DEFLATED) as made:
        for part in parts:
            for line in part:
                name, text = json.loads(line)
                add(made, name, text.encode())


def add(made: ZipFile, name: str, content: bytes) -> None:
    """Put a file into an archive, the same every time."""
    info = ZipInfo(name, date_time=EPOCH)
    info.compress_type, info.external_attr = ZIP_DEFLATED, 0o644 << 16
    made.writestr(info, content)


def compressed(write: Writer) -> Writer:
    """What `write` writes, as gzip: parts of it that follow each other are one file."""

    def written(noun: str, querysets: Iterable[Any], out: IO[bytes], *, is_first: bool = True) -> Written:
        with gzip.GzipFile(filename="", mode="wb", fileobj=out, compresslevel=6, mtime=0) as inside:
            return write(noun, querysets, inside, is_first=is_first)

    return written


@dataclass(frozen=True)
class Format:
    """A format of a file."""

    name: str
    label: str
    text: str
    suffix: str
    content_type: str
    write: Writer
    nouns: tuple[str, ...] = NOUNS
    assemble: Assembler = join


def _jsonl(noun: str, querysets: Iterable[Any], out: IO[bytes], *, is_first: bool = True) -> Written:
    write = conversations.write if noun == "threads" else rows.write_json
    return write(noun, querysets, out, is_first=is_first)


FORMATS = {
    found.name: found
    for found in (
        Format(
            "csv",
            "CSV",
            "A table for spreadsheets, one row each, without formulas; an import reads it again.",
            "csv",
            "text/csv; charset=utf-8",
            rows.write_csv,
        ),
        Format(
            "jsonl",
            "JSONL",
            "A JSON object a line: threads with their messages in OpenAI's chat format, or the rows as they are.",
            "jsonl",
            "application/jsonl",
            _jsonl,
        ),
        Format(
            "jsonl.gz",
            "JSONL, compressed",
            "The same as JSONL, a fraction of its size.",
            "jsonl.gz",
            "application/gzip",
            compressed(_jsonl),
        ),
        Format(
            "sft",
            "Fine-tuning: examples",
            "OpenAI's format for supervised fine-tuning: each thread up to its last answer. Answers with thumbs down get weight 0.",
            "sft.jsonl",
            "application/jsonl",
            tuning.write_examples,
            THREADS,
        ),
        Format(
            "dpo",
            "Fine-tuning: preferences",
            "OpenAI's format for preference tuning: an answer and its replay, where feedback or a fork says which is better.",
            "dpo.jsonl",
            "application/jsonl",
            tuning.write_pairs,
            THREADS,
        ),
        Format(
            "markdown",
            "Markdown transcripts, zip",
            "A text to read for each thread, in one archive.",
            "zip",
            "application/zip",
            transcripts.write,
            THREADS,
            archive,
        ),
        Format(
            "transcript",
            "Markdown, one text",
            "The threads as one text to read, one below the other.",
            "md",
            "text/markdown; charset=utf-8",
            transcripts.write_text,
            THREADS,
        ),
    )
}


#: What a format is good for where that is something else than for other rows.
TEXTS = {
    ("csv", "audit-entries"): "A table for spreadsheets, one entry each with its seal, without formulas.",
    (
        "jsonl",
        "audit-entries",
    ): "A JSON object a line, with its seal: whoever has the file can check it with verify_audit.",
}


def named(name: str, noun: str) -> Format:
    """The format with this name.

    Raises:
        InvalidInput: there is none for such rows.
    """
    found = FORMATS.get(name)
    if found is None or noun not in found.nouns:
        known = ", ".join(each.name for each in of(noun))
        raise InvalidInput(f"There is no format “{name[:50]}” for {noun}: choose one of {known}.", param="format")
    return found


def of(noun: str) -> list[Format]:
    """The formats for rows of this kind."""
    return [
        replace(found, text=TEXTS.get((found.name, noun), found.text))
        for found in FORMATS.values()
        if noun in found.nouns
    ]
