"""Replays: the doors to the form that asks for them, and to the page that shows original and replays side by side."""

from __future__ import annotations

from typing import Any

from ai.admin.parts.doors import Door, doors

PAGES = "ai.admin.parts.replay_pages"


def thread_urls(admin: Any) -> list[Door]:
    """The form, for one thread and for a selection. `admin` is the `ThreadAdmin`."""
    return doors(
        PAGES,
        admin,
        ("replay/", "replay_selected", "several"),
        ("<path:object_id>/replay/", "replay", "one"),
    )


def run_urls(admin: Any) -> list[Door]:
    """The comparison and what can be done there. `admin` is the `RunAdmin`."""
    return doors(
        PAGES,
        admin,
        ("<path:object_id>/compare/", "compare", "compare"),
        ("<path:object_id>/compare/live/", "compare_live", "compare_live"),
        ("<path:object_id>/compare/cancel/", "compare_cancel", "cancel"),
        ("<path:object_id>/compare/fix/", "compare_fix", "fix"),
        ("<path:object_id>/compare/promote/", "compare_promote", "promote"),
    )
