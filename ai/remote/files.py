"""Files that come along with messages, and files of ours that go with them: each kept once."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any
from uuid import UUID

from asgiref.sync import sync_to_async

from ai import conf
from ai.exceptions import RemoteError, RemoteMissing, RemoteRefused, TooLarge
from ai.models import DataSource
from ai.remote.lines import Line, path
from ai.remote.port import Json, RemoteMessage

#: More of a file is kept on disk while it comes.
IN_MEMORY = 1024 * 1024


@dataclass
class Fetched:
    """Files by their remote ids: those that are here now, and why the others are not."""

    rows: dict[str, DataSource] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def ids_in(message: Json) -> list[str]:
    """The ids of the files that a message shows or carries."""
    given = message.get("attachments")
    found = [each.get("file_id") or each.get("id") for each in given if isinstance(each, dict)] if given else []
    content = message.get("content")
    for part in content if isinstance(content, list) else []:
        inner = part.get("image_file") if isinstance(part, dict) else None
        if isinstance(inner, dict):
            found.append(inner.get("file_id"))
    return [str(each) for each in found if each]


def renamed(message: Json, found: Mapping[str, DataSource]) -> Json:
    """The message with our ids in place of the remote's, wherever it names a file."""
    return _renamed(message, {key: row.file_id for key, row in found.items()}) if found else message


def with_ids(message: Json, ids: Mapping[str, str]) -> Json:
    """The message with other ids of files, each as `file_id`."""
    if not ids:
        return message
    given = message.get("attachments")
    attached = [{"file_id": each.get("id"), **each} for each in given if isinstance(each, dict)] if given else []
    return dict(_renamed({**message, **({"attachments": attached} if attached else {})}, ids))


def _renamed(value: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(each, ids) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: ids.get(inner, inner) if name == "file_id" and isinstance(inner, str) else _renamed(inner, ids)
        for name, inner in value.items()
    }


async def fetch(line: Line, messages: Iterable[RemoteMessage], *, tenant_id: UUID | None) -> Fetched:
    """Bring the messages' files here, unless they are.

    A file that the remote does not hand out is a problem to be told of; its message comes nevertheless.
    """
    wanted = list(dict.fromkeys(key for each in messages for key in ids_in(each.message)))
    found = Fetched()
    if not wanted:
        return found
    found.rows = await sync_to_async(_known)(wanted, tenant_id)
    for key in wanted:
        if key in found.rows:
            continue
        try:
            found.rows[key] = await _bring(line, key, tenant_id)
        except (RemoteMissing, RemoteRefused, TooLarge) as error:
            found.problems.append(f"The file {key[:60]} did not come along: {error.message}")
    return found


def _known(keys: list[str], tenant_id: UUID | None) -> dict[str, DataSource]:
    rows = DataSource.objects.filter(tenant_id=tenant_id)
    by_own_id = {row.file_id: row for row in rows.filter(file_id__in=keys)}
    return {**by_own_id, **{str(row.external_id): row for row in rows.filter(external_id__in=keys)}}


async def _bring(line: Line, key: str, tenant_id: UUID | None) -> DataSource:
    facts = await line.get(path("files", key))
    name = str(facts.get("filename") or "file")
    purpose = str(facts.get("purpose") or "assistants")
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as content:
        digest = hashlib.sha256()
        async with line.download(key) as pieces:
            async for piece in pieces:
                digest.update(piece)
                content.write(piece)
                _limit(content.tell())
        if isinstance(facts.get("bytes"), int) and facts["bytes"] != content.tell():
            raise RemoteError(f"The file {key[:60]} came incomplete: {content.tell():,} of {facts['bytes']:,} bytes.")
        content.seek(0)
        return await sync_to_async(_keep)(content, key, name, purpose, tenant_id, digest.hexdigest())


def _limit(size: int) -> None:
    most = conf.current().max_file_bytes
    if size > most:
        raise TooLarge(f"The file is larger than {most:,} bytes, the most this installation accepts.")


def _keep(content: Any, key: str, name: str, purpose: str, tenant_id: UUID | None, digest: str) -> DataSource:
    """The file, unless the tenant has one with the same content."""
    same: DataSource | None = DataSource.objects.filter(tenant_id=tenant_id, sha256=digest).order_by("pk").first()
    if same is not None:
        return same
    with DataSource.objects.receive(content, name, purpose, tenant_id) as row:
        row.external_id = key[:255]
        row.save(force_insert=True)
    return row


async def send(
    line: Line, file_ids: Iterable[str], *, tenant_id: UUID | None, sent: Mapping[str, str]
) -> dict[str, str]:
    """Send files of the tenant that the remote has not got; our id → the remote's.

    Raises:
        RemoteRefused: a file is gone from storage.
    """
    found = dict(sent)
    for file_id in file_ids:
        if file_id not in found:
            row = await sync_to_async(_ours)(file_id, tenant_id)
            if row is None:
                continue
            name, content, purpose = row
            with content:
                found[file_id] = await line.upload(name, content, purpose)
    return found


def _ours(file_id: str, tenant_id: UUID | None) -> tuple[str, IO[bytes], str] | None:
    row = DataSource.objects.filter(tenant_id=tenant_id, file_id=file_id).first()
    if row is None:
        return None
    try:
        return row.name, row.file.open("rb"), "vision" if row.mime_type.startswith("image/") else row.purpose
    except (OSError, ValueError) as error:
        raise RemoteRefused(f"The content of the file “{row.name}” is gone from storage.") from error


def facts_of(found: Fetched) -> Iterator[str]:
    """What to tell of files that did not come."""
    yield from found.problems[:3]
    if len(found.problems) > 3:
        yield f"{len(found.problems) - 3} more files did not come along."
