"""Reading the files of vector stores: their text, cut into chunks, into the index. Workers do it.

The database is the truth about what is to be read; messages only wake workers, and the workers' sweep finds what a lost
message or a killed worker leaves behind.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from threading import Semaphore
from uuid import UUID

from ai import conf, dispatch, tenancy
from ai.exceptions import AIError, InvalidInput, LeaseLost
from ai.models import Chunk, DataSource, VectorStore, VectorStoreBatch, VectorStoreFile
from ai.services import embeddings
from ai.stores import extraction
from ai.stores.chunking import CHARACTERS_PER_TOKEN, chunks, sizes_of

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]

#: The Assistants API's bound.
MOST_TOKENS = 5_000_000
MOST_CHARACTERS = MOST_TOKENS * CHARACTERS_PER_TOKEN

#: So many chunks are written at a time: a big file does not hold the database up.
SLICE = 100

#: After a failure that may pass, the file is left alone for so long.
PAUSE = timedelta(seconds=20)

#: How long a message may take to a worker before the sweep sends another.
WAITED = timedelta(seconds=5)

#: How long waiting files are read in one go.
TURN = timedelta(seconds=15)

#: So many threads of a process go through the waiting files; more would keep it from its other work.
_readers = Semaphore(2)


class Unsupported(InvalidInput):
    """This kind of file has no text that can be searched."""


def read(*, store_file_id: UUID, now: Clock) -> bool:
    """Read one waiting file; False when it is no longer waiting."""
    with tenancy.everything(reason="reading files of vector stores"):
        file = VectorStoreFile.objects.claim(store_file_id, at=now())
        if file is not None:
            _read(file, now=now)
        return file is not None


def read_waiting(*, now: Clock) -> int:
    """Read waiting files, the longest waiting first; how many. Nothing where enough threads of this process do.

    After some time the rest is left to a new message: other work gets its turn, and a worker that is told to end can.
    """
    if not _readers.acquire(blocking=False):
        return 0
    count, begun = 0, now()
    try:
        with tenancy.everything(reason="reading files of vector stores"):
            while file := VectorStoreFile.objects.claim_next(at=now()):
                _read(file, now=now)
                count += 1
                if now() - begun > TURN:
                    dispatch.read_files()
                    break
    finally:
        _readers.release()
    return count


def sweep(*, at: datetime) -> None:
    """Give up files that nobody could read, wake workers for forgotten ones, and empty stores that have expired.

    It looks after every tenant's stores: its caller sees them all.
    """
    for batch_id in VectorStoreFile.objects.give_up(at=at):
        VectorStoreBatch.objects.settle(batch_id, at=at)
    for store_id in VectorStore.objects.expired(at=at):
        VectorStore.objects.empty(store_id, at=at)
    if VectorStoreFile.objects.claimable(at).filter(modified__lte=at - WAITED).exists():
        dispatch.read_files()


def _read(file: VectorStoreFile, *, now: Clock) -> None:
    """Read a file that is the caller's, and settle it whatever comes."""
    try:
        assert file.tenant_id is not None  # noqa: S101 - a vector store has a tenant
        with tenancy.scope(file.tenant_id):
            _index(file, file.tenant_id, now=now)
    except LeaseLost:
        log.info("The file %s in a vector store is no longer ours; what was read of it is dropped.", file.pk)
        VectorStoreFile.objects.clean_up(file)
    except InvalidInput as error:
        code = "unsupported_file" if isinstance(error, Unsupported) else "invalid_file"
        _fail(file, code=code, message=error.message, now=now)
    except Exception as error:
        log.exception("Reading the file %s of a vector store failed.", file.pk)
        message = error.message if isinstance(error, AIError) else "The file could not be read; see the console's log."
        if file.attempt < conf.current().run_max_attempts:
            VectorStoreFile.objects.give_back(file, at=now(), until=now() + PAUSE)
        else:
            _fail(file, code="server_error", message=message, now=now)
    if file.batch_id:
        VectorStoreBatch.objects.settle(file.batch_id, at=now())


def _fail(file: VectorStoreFile, *, code: str, message: str, now: Clock) -> None:
    try:
        VectorStoreFile.objects.fail(file, code=code, message=message, at=now())
    except LeaseLost:
        log.info("The file %s in a vector store is no longer ours.", file.pk)


def _index(file: VectorStoreFile, tenant_id: UUID, *, now: Clock) -> None:
    store = VectorStore.objects.filter(pk=file.vector_store_id).first()
    if store is None or store.has_expired(now()):
        VectorStoreFile.objects.stop(file.vector_store_id, at=now())
        return
    pieces = chunks(_text(file), sizes_of(file.chunking_strategy))
    Chunk.objects.forget_files([file.pk])  # what an earlier attempt left
    usage = 0
    for first, texts in _slices(pieces):
        vectors = embeddings.of_texts(texts)
        rows = [
            Chunk(
                tenant_id=tenant_id,
                vector_store_id=file.vector_store_id,
                store_file_id=file.pk,
                index=first + place,
                text=text,
                embedding=vector,
            )
            for place, (text, vector) in enumerate(zip(texts, vectors, strict=True))
        ]
        VectorStoreFile.objects.write(file, rows, at=now())
        usage += sum(len(row.text.encode()) + len(row.embedding or b"") for row in rows)
    VectorStoreFile.objects.complete(file, usage_bytes=usage, at=now())


def _slices(pieces: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    first = 0
    while texts := list(islice(pieces, SLICE)):
        yield first, texts
        first += len(texts)


def _text(file: VectorStoreFile) -> str:
    """The file's text, as it is stored.

    Raises:
        InvalidInput: there is none.
        OSError: storage is away.
    """
    source = DataSource.objects.filter(file_id=file.file_id).first()
    if source is None:
        raise InvalidInput("The file is gone.")
    if not extraction.can_read(source.mime_type, source.name):
        raise Unsupported(f"Files of the type {source.mime_type} have no text that can be searched.")
    try:
        opened = source.file.open("rb")
    except FileNotFoundError:
        raise InvalidInput("The content of the file is gone from storage.") from None
    with opened:
        text = extraction.text_of_file(
            opened, name=source.name, mime_type=source.mime_type, most_characters=MOST_CHARACTERS + 1
        )
    if len(text) > MOST_CHARACTERS:
        raise InvalidInput(f"The file has more than {MOST_TOKENS:,} tokens, the most that a vector store takes.")
    if not text.strip():
        raise InvalidInput("The file has no text; a scan needs to be recognised first.")
    return text
