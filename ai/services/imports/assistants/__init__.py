"""Dumps of the Assistants API: `assistants-thread-export/v1`, and the API's JSON as it is, in any order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ai.services.imports import fields
from ai.services.imports.assistants import assistants, threads
from ai.services.imports.assistants.objects import Found, objects
from ai.services.imports.drafts import AssistantDraft, Draft, Json, Refusal, Unusable
from ai.services.imports.reports import Report
from ai.services.imports.stages import Stage, Staged
from ai.services.imports.values import Document
from ai.stores.serialization import clean_text, to_serializable

#: Kinds that belong to a thread and must name it.
_OF_THREADS = ("message", "run", "step")


def recognises(value: Any) -> bool:
    """Whether it is an object of the API, or something that contains one."""
    if isinstance(value, dict) and "export_schema" in value:
        return True
    return next(objects(value, place="", refuse=lambda refusal: None), None) is not None


def read(documents: Iterable[Document], report: Report) -> Iterator[Draft]:
    """The assistants, then the threads; what cannot be used is refused in the report."""
    with Stage() as stage:
        for document in documents:
            for found in objects(document.value, place=document.place, refuse=report.refuse):
                _put(stage, found, report)
        report.files = stage.count("file")
        yield from _assistants(stage, report)
        for thread_id, staged in stage.threads():
            draft = threads.draft(thread_id, staged, files=_Files(stage), refuse=report.refuse)
            if draft is not None:
                yield draft


def _put(stage: Stage, found: Found, report: Report) -> None:
    place, key = clean_text(found.place), ""
    try:
        key = fields.identity(found.value)
        value, thread = _with_places(found, key)
        stage.put(Staged(found.kind, key, place, value), thread=thread)
    except Unusable as error:
        report.refuse(Refusal(found.kind, place, str(error), key))
    report.count()


def _with_places(found: Found, key: str) -> tuple[Json, str]:
    """The object as it can be stored, with the ids of what it was inside; and the id of the thread it belongs to."""
    fields.require_shallow(found.value)
    value = to_serializable(found.value)
    if found.kind == "step":
        value.setdefault("run_id", found.run_id)
    if found.kind not in _OF_THREADS:
        return value, key if found.kind == "thread" else ""
    value.setdefault("thread_id", found.thread_id)
    return value, fields.identity(value, "thread_id")


def _assistants(stage: Stage, report: Report) -> Iterator[AssistantDraft]:
    for staged in stage.of_kind("assistant"):
        try:
            yield assistants.draft(staged)
        except Unusable as error:
            report.refuse(Refusal("assistant", staged.place, str(error), staged.id))


class _Files:
    """The files that the dump describes, by id."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __call__(self, file_id: str) -> Json | None:
        return self._stage.get("file", file_id)
