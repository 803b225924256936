"""The live handle of a thread's remote side: an OpenAI conversation, or a thread where Assistants are still served."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from ai import conf
from ai.exceptions import Misconfigured


@dataclass(frozen=True)
class RemoteThread:
    """`id` on the remote; `client` is an `openai.OpenAI` that speaks to it."""

    id: str
    client: Any = field(repr=False)

    def retrieve(self) -> Any:
        """The remote's own object."""
        if self.id.startswith("conv_"):
            return self.client.conversations.retrieve(self.id)
        return self.client.beta.threads.retrieve(self.id)


def open_remote(thread: Any) -> RemoteThread:
    """The remote side of a thread; where there is none, a conversation is made and its id kept.

    Raises:
        Misconfigured: no key for the remote is set.
    """
    from openai import OpenAI

    settings = conf.current()
    key = os.environ.get(settings.remote_api_key_env, "")
    if not key:
        raise Misconfigured(f"Set the environment variable {settings.remote_api_key_env} to the remote's API key.")
    client = OpenAI(api_key=key, base_url=settings.remote_base_url or None, max_retries=2)
    if not thread.external_id:
        made = client.conversations.create(metadata={"thread_id": str(thread.pk)})
        rows = type(thread).objects.filter(pk=thread.pk)
        if not rows.filter(external_id__isnull=True).update(external_id=made.id, sync_state="linked"):
            client.conversations.delete(made.id)
        thread.refresh_from_db()
    return RemoteThread(thread.external_id, client)
