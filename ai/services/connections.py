"""What a person can do with remote connections: keep them and their keys, and see whether they answer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from asgiref.sync import async_to_sync
from django.db import IntegrityError, transaction

from ai import llm
from ai.exceptions import Conflict, InvalidInput, NotFound, RemoteError, RemoteMissing
from ai.models import RemoteConnection
from ai.remote.lines import Line
from ai.services import audit, permissions


@dataclass(frozen=True)
class Answer:
    """How a server answered a test."""

    latency_ms: int
    serves: tuple[str, ...]
    """What it serves of “threads” and “conversations”, in words."""


def check(row: RemoteConnection) -> None:
    """Raise `InvalidInput` when the connection cannot work as it stands, saying what to change."""
    llm.check_url(row.url)


@transaction.atomic
def save(*, row: RemoteConnection, by: Any, at: datetime, api_key: str | None = None) -> RemoteConnection:
    """Write a connection. A stored key goes only where it was meant to: with another server it is forgotten.

    Args:
        api_key: None leaves the stored key as it is, an empty text forgets it.

    Raises:
        Forbidden, InvalidInput.
        Conflict: the tenant has a connection of this name.
        OutsideTenant: the tenant is not in scope.
        Misconfigured: a key is given and `AI_SECRETS_KEY` is not usable.
    """
    new = row._state.adding
    permissions.require(by, "ai.add_remoteconnection" if new else "ai.change_remoteconnection")
    check(row)
    row.tenant_id = RemoteConnection.objects.tenant_for_new_row(row.tenant_id)
    before = None if new else RemoteConnection.objects.select_for_update().filter(pk=row.pk).first()
    if api_key is not None:
        row.set_api_key(api_key)
    elif before is not None:
        row.encrypted_key = before.encrypted_key if place(before) == place(row) else ""
    if row.is_default:
        RemoteConnection.objects.prefer(row)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise Conflict("The tenant has a connection of this name.") from error
    lost = before is not None and bool(before.encrypted_key) and not row.encrypted_key
    key = "stored" if api_key else "forgotten" if lost or api_key is not None else "kept"
    action = "remote_connection.added" if new else "remote_connection.changed"
    audit.record(action, target=row, by=by, at=at, name=row.name, url=row.url, key=key)
    return row


def place(row: RemoteConnection) -> tuple[object, ...]:
    """Whose server gets the key: with another one the stored key is forgotten."""
    parts = urlsplit(row.url)
    return parts.scheme.lower(), parts.hostname, parts.port


@transaction.atomic
def delete(*, row: RemoteConnection, by: Any, at: datetime) -> None:
    """Delete a connection; its threads stay, and go over the tenant's default one.

    Raises:
        Forbidden.
    """
    permissions.require(by, "ai.delete_remoteconnection")
    audit.record("remote_connection.deleted", target=row, by=by, at=at, name=row.name, url=row.url)
    row.delete()


def test(*, row: RemoteConnection, by: Any, at: datetime) -> Answer:
    """Ask the server for two things that do not exist: how it says so tells what it serves. Nothing is changed there.

    Raises:
        Forbidden, InvalidInput, Misconfigured.
        NotFound: the connection is switched off.
        RemoteError: the server cannot be reached, or does not accept the key.
    """
    permissions.require(by, "ai.test_remoteconnection")
    if not row.is_enabled:
        raise NotFound(f"“{row.name}” is switched off; enable it first.")
    try:
        found = async_to_sync(_ask)(Line(row.address()))
    except RemoteError as error:
        audit.record("remote_connection.tested", target=row, by=by, at=at, outcome=error.message[:200])
        raise
    audit.record("remote_connection.tested", target=row, by=by, at=at, outcome="answered", serves=list(found.serves))
    return found


async def _ask(line: Line) -> Answer:
    begun = time.perf_counter()
    probes = {"Assistants-style threads": "/threads/thread_none", "Conversations": "/conversations/conv_none"}
    try:
        serves = [name for name, where in probes.items() if await _is_served(line, where)]
    finally:
        await line.aclose()
    if not serves:
        raise RemoteError("The server serves neither threads nor conversations. Is the base URL right?")
    return Answer(round((time.perf_counter() - begun) * 1000 / len(probes)), tuple(serves))


async def _is_served(line: Line, where: str) -> bool:
    """Whether the server knows the address: it says then that the thing is missing, not that the address is."""
    try:
        await line.get(where)
    except RemoteMissing as error:
        return "invalid url" not in error.message.lower()
    except RemoteError as error:
        if "no such address" in error.message or "is not JSON" in error.message:
            return False
        if "answered 400" in error.message or "answered 422" in error.message:
            return True
        raise
    return True


def choices(*, most: int = 100) -> list[RemoteConnection]:
    """Connections that can be chosen, by name."""
    return list(RemoteConnection.objects.filter(is_enabled=True).order_by("name", "pk")[:most])


def named(name: str) -> RemoteConnection:
    """The connection of this name.

    Raises:
        NotFound: there is none in scope.
        InvalidInput: several tenants have one.
    """
    found = list(RemoteConnection.objects.filter(name=name, is_enabled=True)[:2])
    if not found:
        raise NotFound(f"There is no connection “{name[:100]}”.")
    if len(found) > 1:
        raise InvalidInput("Several tenants have a connection of this name: say which tenant.")
    connection: RemoteConnection = found[0]
    return connection
