"""What attached files say, for models: texts and PDFs as text, pictures as pictures.

A file that the run can search is not read out to the model: its attachment names `file_search` among its tools.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.cache import cache

from ai.exceptions import AIError
from ai.models import DataSource

log = logging.getLogger(__name__)

Json = dict[str, Any]

MOST_CHARACTERS = 100_000
MOST_IMAGE_BYTES = 20 * 1024 * 1024
IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
CACHE_SECONDS = 24 * 3600

CUT = "\n[The rest of the file is left out.]"


def with_contents(histories: Sequence[list[Json]]) -> list[list[Json]]:
    """The histories, with the contents of attached files in scope beside their names; one query for all of them.

    A file that is gone, or of a kind that cannot be read, stays a name.
    """
    wanted = {file_id for history in histories for message in history for file_id in _file_ids(message)}
    if not wanted:
        return list(histories)
    files = {file.file_id: file for file in DataSource.objects.filter(file_id__in=wanted)}
    known: dict[str, Json] = {}
    return [[_filled(message, files, known) for message in history] for history in histories]


def _file_ids(message: Json) -> Iterator[str]:
    if message.get("role", "user") != "user":
        return
    for item in [*_attachments(message), *_image_parts(message)]:
        if file_id := _id_of(item):
            yield file_id


def _attachments(message: Json) -> list[Json]:
    given = message.get("attachments")
    found = [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
    return [item for item in found if not _is_searched(item)]


def _is_searched(item: Json) -> bool:
    tools = item.get("tools")
    return any(isinstance(tool, dict) and tool.get("type") == "file_search" for tool in tools or [])


def _image_parts(message: Json) -> list[Json]:
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return [part for part in parts if isinstance(part, dict) and part.get("type") == "image_file"]


def _id_of(item: Json) -> str:
    inner = item.get("image_file")
    found = (inner if isinstance(inner, dict) else {}).get("file_id") or item.get("file_id") or item.get("id")
    return found if isinstance(found, str) else ""


def _filled(message: Json, files: dict[str, DataSource], known: dict[str, Json]) -> Json:
    if not any(file_id in files for file_id in _file_ids(message)):
        return message
    filled = dict(message)
    for key in ("attachments", "content"):
        if isinstance(message.get(key), list):
            filled[key] = [_with_content(item, files, known) for item in message[key]]
    return filled


def _with_content(item: Any, files: dict[str, DataSource], known: dict[str, Json]) -> Any:
    file = files.get(_id_of(item)) if isinstance(item, dict) and not _is_searched(item) else None
    if file is None:
        return item
    if file.file_id not in known:
        known[file.file_id] = {"name": file.name, "mime_type": file.mime_type, **_content(file)}
    return {**item, **known[file.file_id]}


def _content(file: DataSource) -> Json:
    try:
        if file.mime_type in IMAGES:
            return {"image": _bytes(file)} if file.bytes <= MOST_IMAGE_BYTES else {}
        text = _text(file)
    except (OSError, ValueError, AIError):
        log.warning("The file %s cannot be read; models get its name only.", file.file_id, exc_info=True)
        return {}
    return {"text": text} if text else {}


def _bytes(file: DataSource) -> bytes:
    with file.file.open("rb") as opened:
        content: bytes = opened.read()
    return content


def _text(file: DataSource) -> str:
    """The file's text; worked out once a day at most, since runs ask for it again and again."""
    from ai.stores import extraction  # noqa: PLC0415 - brings the readers of PDF and DOCX along

    if not extraction.can_read(file.mime_type, file.name):
        return ""
    key = f"text:{file.sha256}"
    found: str | None = cache.get(key)
    if found is None:
        with file.file.open("rb") as opened:
            found = extraction.text_of_file(
                opened, name=file.name, mime_type=file.mime_type, most_characters=MOST_CHARACTERS + 1
            )
        cache.set(key, found, CACHE_SECONDS)
    return found if len(found) <= MOST_CHARACTERS else found[:MOST_CHARACTERS] + CUT
