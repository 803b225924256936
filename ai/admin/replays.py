"""Replays: the doors to the form that asks for them, and to the page that shows original and replays side by side."""

from __future__ import annotations

from functools import partial
from typing import Any

from ai.admin.parts.doors import Door, later

PAGES = "ai.admin.parts.replay_pages"


def thread_urls(admin: Any) -> list[Door]:
    """The form, for one thread and for a selection. `admin` is the `ThreadAdmin`."""
    return [
        ("replay/", "replay_selected", partial(later(f"{PAGES}.several"), admin)),
        ("<path:object_id>/replay/", "replay", partial(later(f"{PAGES}.one"), admin)),
    ]


def run_urls(admin: Any) -> list[Door]:
    """The comparison and what can be done there. `admin` is the `RunAdmin`."""
    return [
        (f"<path:object_id>/compare/{path}", f"compare{name}", partial(later(f"{PAGES}.{page}"), admin))
        for path, name, page in (
            ("", "", "compare"),
            ("live/", "_live", "compare_live"),
            ("cancel/", "_cancel", "cancel"),
            ("fix/", "_fix", "fix"),
            ("promote/", "_promote", "promote"),
        )
    ]
