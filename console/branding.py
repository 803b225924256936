"""What the console looks like: Unfold's settings."""

from typing import Any

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Marvin Console",
    "SITE_HEADER": "Marvin Console",
    "SITE_SYMBOL": "forum",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
}
