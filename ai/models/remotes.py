"""The live handle of a thread's remote side: an OpenAI conversation, or a thread where Assistants are still served."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q
from django.utils import timezone

from ai import conf, dispatch
from ai.exceptions import InvalidInput, Misconfigured
from ai.models.connections import OPENAI, Address, Makes, chosen
from ai.models.sync_states import SyncState
from ai.models.syncs import ThreadSync

#: The beginning of a remote id → the kind of remote conversation it names.
PREFIXES = {"thread_": "thread", "conv_": "conversation", "resp_": "response", "chatcmpl-": "completion"}

#: Where threads come from whose remote ids look as they like, because a compatible server made them.
ASSISTANTS_SOURCES = frozenset({"api", "assistants", "remote"})


def kind_of(external_id: str | None, source: str = "") -> str:
    """The kind of remote conversation: one of `PREFIXES`' values, or "" where the id names none."""
    given = external_id or ""
    for prefix, kind in PREFIXES.items():
        if given.startswith(prefix):
            return kind
    return "thread" if given and source in ASSISTANTS_SOURCES else ""


def is_remote() -> Q:
    """Threads for which `kind_of` finds a kind, and where a database compares without case a few more."""
    wanted = Q(source__in=ASSISTANTS_SOURCES)
    for prefix in PREFIXES:
        wanted |= Q(external_id__startswith=prefix)
    return wanted & Q(external_id__isnull=False) & ~Q(external_id="")


@dataclass(frozen=True)
class RemoteThread:
    """`id` on the remote; `client` is an `openai.OpenAI` that speaks to it."""

    id: str
    client: Any = field(repr=False)
    kind: str = "thread"

    def retrieve(self) -> Any:
        """The remote's own object."""
        if self.kind == "conversation":
            return self.client.conversations.retrieve(self.id)
        if self.kind == "response":
            return self.client.responses.retrieve(self.id)
        if self.kind == "completion":
            return self.client.chat.completions.retrieve(self.id)
        return self.client.beta.threads.retrieve(self.id)


def address_of(thread: Any) -> tuple[Address, str]:
    """Where the thread's remote side lives, and what is made there: its connection, else the installation's settings.

    Raises:
        Misconfigured: there is no key for it.
    """
    known = ThreadSync.objects.of(thread.pk)
    connection = chosen(thread.tenant_id, known.connection_id if known else None)
    if connection is not None:
        return connection.address(), connection.makes
    settings = conf.current()
    key = os.environ.get(settings.remote_api_key_env, "")
    if not key:
        said = f"Add a remote connection, or set the environment variable {settings.remote_api_key_env} to the remote's API key."
        raise Misconfigured(said)
    return Address(settings.remote_base_url or OPENAI, key), Makes.CONVERSATION


def open_remote(thread: Any) -> RemoteThread:
    """The remote side of a thread; where there is none, one is made and its id kept.

    Raises:
        InvalidInput: the thread's external ID names no remote conversation, or the base URL may not be called.
        Misconfigured: no key for the remote is set.
    """
    address, makes = address_of(thread)
    client = _client(address)
    if not thread.external_id:
        _make(thread, client, makes)
    kind = kind_of(thread.external_id, thread.source)
    if not kind:
        raise InvalidInput(f"The external ID {thread.external_id} is not one of a remote conversation.")
    return RemoteThread(thread.external_id, client, kind)


def _client(address: Address) -> Any:
    from openai import OpenAI

    from ai.llm import blocking, guard

    guard.check_url(address.base_url)
    azure = {"api-key": address.api_key} if address.api_version else {}
    return OpenAI(
        api_key=address.api_key,
        base_url=address.base_url,
        organization=address.organization or None,
        project=address.project or None,
        max_retries=2,
        http_client=blocking.client(),
        default_headers=azure,
        default_query={"api-version": address.api_version} if address.api_version else None,
    )


def _make(thread: Any, client: Any, makes: str) -> None:
    """Make the remote side; of two callers at once one keeps what it made."""
    place = client.conversations if makes == Makes.CONVERSATION else client.beta.threads
    made = place.create(metadata={"thread_id": str(thread.pk)})
    rows = type(thread).objects.filter(pk=thread.pk)
    if not rows.filter(external_id__isnull=True).update(external_id=made.id, sync_state=SyncState.LINKED):
        place.delete(made.id)
    thread.refresh_from_db()


def push_later(thread: Any) -> None:
    """Have a worker send what was just said to the remote side, if the thread has one that can be reached."""
    if not kind_of(thread.external_id, thread.source) or thread.sync_state == SyncState.GONE:
        return
    known = ThreadSync.objects.of(thread.pk)
    if chosen(thread.tenant_id, known.connection_id if known else None) is None:
        return
    at = timezone.now()
    ThreadSync.objects.want_push(thread, at=at)
    if thread.sync_state == SyncState.LINKED:
        type(thread).objects.set_sync_state(thread.pk, state=SyncState.CHANGED, at=at)
        thread.sync_state = SyncState.CHANGED
    dispatch.push_thread(thread_id=thread.pk)
