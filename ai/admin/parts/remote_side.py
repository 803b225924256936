"""What a thread's page says of its remote side."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from ai.admin import syncs
from ai.admin.parts import badges
from ai.models import ChatThread, RemoteConnection, SyncConflict, ThreadSync
from ai.models.remotes import kind_of
from ai.models.sync_states import SyncState
from ai.remote.kinds import ADAPTERS


def facts(request: HttpRequest, thread: ChatThread) -> dict[str, Any]:
    """How the thread stands, when that changed last, what it was before, and where to go from here."""
    may_sync = syncs.may_sync(request)
    found: dict[str, Any] = {"move_url": syncs.url("move", [thread.pk]) if may_sync else ""}
    if not thread.external_id:
        return found
    known = ThreadSync.objects.of(thread.pk)
    kind = kind_of(thread.external_id, thread.source)
    found |= {
        "kind": ADAPTERS[kind].label if kind else "",
        "sync_url": syncs.url("sync", [thread.pk]) if may_sync and kind else "",
        "conflicts_url": _conflicts_url(request, thread),
    }
    if known is not None:
        found |= {
            "synced_at": known.synced_at,
            "error": known.last_error,
            "history": [str(each.get("external_id")) for each in known.history or () if isinstance(each, dict)],
            "connection": RemoteConnection.objects.filter(pk=known.connection_id).values_list("name", flat=True).first()
            if known.connection_id
            else "",
        }
    return found


def _conflicts_url(request: HttpRequest, thread: ChatThread) -> str:
    """The thread's first open conflict."""
    if thread.sync_state != SyncState.CONFLICT or not request.user.has_perm("ai.view_syncconflict"):
        return ""
    first = SyncConflict.objects.open_of(thread.pk).only("pk").first()
    return badges.url("ai_syncconflict_change", first.pk) if first else ""
