"""Files that people upload to be imported: private, in the default storage, and gone when the import is over or after a day.

Between the upload and the start of the import nothing is written to the database: a signed text says where the file is
and whose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Self
from uuid import UUID

from django.core import signing
from django.core.cache import cache
from django.core.files.storage import default_storage

from ai import conf, ids
from ai.exceptions import InvalidInput, NotFound, TooLarge
from ai.models import Job
from ai.models.jobs import OPEN
from ai.services import actors, permissions
from ai.services.imports import loading
from ai.stores.files import clean_name

FOLDER = "imports"
KIND = "import"

#: How long a file waits for its import to begin.
KEPT = timedelta(hours=24)
SWEEP_SECONDS = 600
CHUNK_BYTES = 1024 * 1024

_SALT = "ai.imports.upload"
_HOUR = "%Y%m%d%H"
_ENDING = re.compile(r"(?:\.[a-z0-9]{1,8}){1,2}$")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in storage: where, what its owner calls it, how big it is, for which tenant, and who uploaded it."""

    path: str
    name: str
    bytes: int
    tenant_id: str
    by: str

    def token(self) -> str:
        """A text that stands for it, and that nobody else can write."""
        return signing.dumps(asdict(self), salt=_SALT, compress=True)

    @classmethod
    def of(cls, token: str, *, by: Any) -> Self:
        """The upload that a text stands for.

        Raises:
            NotFound: it stands for none, for one of somebody else, or its time is over.
        """
        try:
            found = cls(**signing.loads(token, salt=_SALT, max_age=KEPT))
        except (signing.BadSignature, TypeError):
            raise NotFound("This upload is not here any more: upload the file again.") from None
        if found.by != actors.id_of(by) or not default_storage.exists(found.path):
            raise NotFound("This upload is not here any more: upload the file again.")
        loading.require_tenant(UUID(found.tenant_id))
        return found


def receive(*, file: Any, tenant_id: UUID, by: Any, at: datetime) -> Upload:
    """Keep an upload for its import, piece by piece.

    Raises:
        Forbidden, NotFound (there is no such tenant for `by`).
        TooLarge: it has more than `AI_IMPORT_MAX_BYTES`.
        InvalidInput: it is empty.
    """
    permissions.require(by, "ai.import_chatthread")
    loading.require_tenant(tenant_id)
    most = conf.current().import_max_bytes
    if file.size > most:
        raise TooLarge(f"The file has more than {most:,} bytes. Cut it into pieces, or run manage.py import_threads.")
    if not file.size:
        raise InvalidInput("The file is empty.")
    name = clean_name(file.name)
    ending = _ENDING.search(name.lower())
    path = f"{FOLDER}/{at.astimezone(UTC).strftime(_HOUR)}/{ids.new().hex}{ending.group() if ending else ''}"
    kept = default_storage.save(path, file)
    return Upload(kept, name, file.size, str(tenant_id), actors.id_of(by))


@contextmanager
def local(path: str) -> Iterator[Path]:
    """The file on this machine's disk, copied there where the storage is elsewhere.

    Raises:
        NotFound: it is gone.
    """
    if not default_storage.exists(path):
        raise NotFound("The uploaded file is gone from storage: upload it again.")
    if (own := _own_path(path)) is not None:
        yield own
        return
    with NamedTemporaryFile(suffix="".join(Path(path).suffixes)) as copy, default_storage.open(path, "rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            copy.write(chunk)
        copy.flush()
        yield Path(copy.name)


def _own_path(path: str) -> Path | None:
    try:
        return Path(default_storage.path(path))
    except NotImplementedError:
        return None


def delete(path: str) -> None:
    """Delete an upload; nothing happens where it is gone."""
    with suppress(FileNotFoundError):
        default_storage.delete(path)


def expire(*, at: datetime) -> int:
    """Delete uploads that waited for a day, unless an import is at them; how many. Its caller sees every tenant."""
    if not cache.add("ai.imports.expire", True, timeout=SWEEP_SECONDS):
        return 0
    oldest = (at - KEPT).astimezone(UTC).strftime(_HOUR)
    with suppress(FileNotFoundError):
        hours, _ = default_storage.listdir(FOLDER)
        return sum(_empty(f"{FOLDER}/{hour}") for hour in sorted(hours) if hour < oldest)
    return 0


def _empty(folder: str) -> int:
    data = Job.objects.filter(kind=KIND, status__in=OPEN).values_list("data", flat=True)
    used = {str(each.get("path")) for each in data}
    _, names = default_storage.listdir(folder)
    gone = [f"{folder}/{name}" for name in names if f"{folder}/{name}" not in used]
    for path in gone:
        delete(path)
    if len(gone) == len(names):
        with suppress(OSError, NotImplementedError):
            default_storage.delete(folder)
    return len(gone)
