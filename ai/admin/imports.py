"""Importing conversations: the button and the doors; the pages behind them are imported when somebody first asks for one."""

from __future__ import annotations

from typing import Any

from ai.admin.parts.doors import Door, doors, later
from ai.admin.parts.lists import Button

PAGES = "ai.admin.parts.import_pages"


def button(url: str) -> Button:
    """The way to the upload page, above a list."""
    return Button("Import…", url, "upload")


def urls(admin: Any) -> list[Door]:
    """The upload page and the preview. `admin` is the `ThreadAdmin`."""
    return doors(PAGES, admin, ("import/", "import", "upload"), ("import/preview/", "import_preview", "preview"))


def job_urls(admin: Any) -> list[Door]:
    """The problems of an import as a file. `admin` is the `JobAdmin`."""
    return [("<uuid:object_id>/problems/", "problems", later(f"{PAGES}.problems"))]
