"""What the console looks like: Unfold's settings, and the way around."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib import admin
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

from console.env import PROJECT


class Place(NamedTuple):
    """One line of the sidebar: a model's list page, or another page of the model's."""

    title: str
    model: str
    icon: str
    page: str = "changelist"


SIDEBAR: dict[str, tuple[Place, ...]] = {
    "Conversations": (
        Place("Threads", "ai.chatthread", "forum"),
        Place("Messages", "ai.message", "chat"),
        Place("Runs", "ai.run", "play_circle"),
        Place("Files", "ai.datasource", "attach_file"),
        Place("Feedback", "ai.feedback", "thumbs_up_down"),
        Place("Feedback inbox", "ai.feedback", "inbox", "inbox"),
        Place("Reviews", "ai.reviewqueue", "rate_review"),
    ),
    "Models": (
        Place("Language models", "ai.languagemodel", "neurology"),
        Place("Assistants", "ai.assistant", "smart_toy"),
        Place("Model routes", "ai.modelroute", "alt_route"),
        Place("Vector stores", "ai.vectorstore", "database_search"),
        Place("Remote connections", "ai.remoteconnection", "cloud_sync"),
    ),
    "People": (
        Place("Tenants", "ai.tenant", "apartment"),
        Place("Users", "auth.user", "person"),
        Place("Groups", "auth.group", "group"),
        Place("API keys", "ai.apikey", "key"),
    ),
    "Activity": (
        Place("Jobs", "ai.job", "pending_actions"),
        Place("Sync conflicts", "ai.syncconflict", "sync_problem"),
        Place("Webhooks", "ai.webhook", "webhook"),
        Place("Notifications", "ai.notification", "notifications"),
        Place("Audit", "ai.auditentry", "policy"),
    ),
}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar: what this person may see, and nothing else."""
    seen = {str(model._meta.label_lower): page for model, page in admin.site._registry.items()}
    groups: list[dict[str, Any]] = [
        {"items": [{"title": "Dashboard", "icon": "monitoring", "link": reverse("admin:index")}]}
    ]
    for title, places in SIDEBAR.items():
        items = [
            {
                "title": place.title,
                "icon": place.icon,
                "link": reverse(f"admin:{place.model.replace('.', '_')}_{place.page}"),
            }
            for place in places
            if place.model in seen and seen[place.model].has_view_permission(request)
        ]
        if items:
            groups.append({"title": title, "separator": True, "items": items})
    _mark(groups, request.path)
    return groups


def _mark(groups: list[dict[str, Any]], path: str) -> None:
    """Let the sidebar mark a page's own line only, not also the one whose address its own begins with."""
    items = [item for group in groups for item in group["items"]]
    here = {item["link"] for item in items if path.startswith(item["link"])}
    for item in items:
        if any(link != item["link"] and link.startswith(item["link"]) for link in here):
            item["active"] = False


def _styles() -> list[Any]:
    folder = PROJECT / "ai" / "static" / "ai"
    return [lambda _, name=path.name: static(f"ai/{name}") for path in sorted(folder.glob("*.css"))]


def account(request: HttpRequest) -> list[dict[str, str]]:
    """What the account's menu leads to."""
    from ai.admin.parts.keyboard import links  # noqa: PLC0415 - pages are imported when the admin has found them

    return links(request)


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Marvin Console",
    "SITE_HEADER": "Marvin Console",
    "SITE_SUBHEADER": "LLM conversations",
    "SITE_URL": None,
    "SITE_SYMBOL": "forum",
    "SITE_ICON": lambda _: static("ai/logo.svg"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _: static("ai/logo.svg")}],
    "LOGIN": {"image": lambda _: static("ai/login.svg")},
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "STYLES": _styles(),
    "ACCOUNT": {"navigation": account},
    "DASHBOARD_CALLBACK": "ai.admin.dashboard.context",
    "COMMAND": {"search_models": False, "show_history": False, "search_callback": "ai.admin.palette.search"},
    "SIDEBAR": {"show_search": False, "command_search": True, "navigation": navigation},
    "COLORS": {
        "primary": {
            "50": "oklch(97.3% .017 236.6)",
            "100": "oklch(94.4% .034 236.8)",
            "200": "oklch(89.3% .064 235.3)",
            "300": "oklch(81.4% .104 232.8)",
            "400": "oklch(72.1% .136 233.9)",
            "500": "oklch(63.5% .141 239.1)",
            "600": "oklch(53.4% .132 243.2)",
            "700": "oklch(45.9% .117 243.6)",
            "800": "oklch(40.2% .098 243.3)",
            "900": "oklch(35.8% .083 244.4)",
            "950": "oklch(25.9% .067 245.6)",
        },
    },
}
