"""Tags of threads: from a closed list, whatever a conversation asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from uuid import UUID

from django.core.cache import cache

from ai import conf
from ai.models import ChatThread
from ai.services.titling.conversations import Conversation

#: Tags that say where a thread comes from; they are given by rules, never chosen.
OF_RULES = frozenset({"chat", "agent", "code", "demo", "load"})
MOST_ALLOWED = 40
MOST_NEW = 3
#: The tags of a tenant are counted once in so many seconds.
CACHE_SECONDS = 120


def allowed(tenant_id: UUID | None) -> tuple[str, ...]:
    """The tags that may be given: `AI_TAGS`, else those that the tenant's threads carry, the most used first."""
    if configured := conf.current().tags:
        return configured
    known: list[str] = cache.get_or_set(f"ai-tags-{tenant_id}", lambda: _known(tenant_id), CACHE_SECONDS) or []
    return tuple(known)


def _known(tenant_id: UUID | None) -> list[str]:
    known = ChatThread.objects.known_tags(tenant_id, most=MOST_ALLOWED + len(OF_RULES))
    return [tag for tag in known if tag.lower() not in OF_RULES][:MOST_ALLOWED]


def by_rule(conversation: Conversation) -> list[str]:
    """“code” where there is some, and those of `AI_TAGS` that the user wrote out."""
    asked = "\n".join(conversation.asked)
    low = asked.lower()
    named = [tag for tag in conf.current().tags if re.search(rf"(?<!\w){re.escape(tag.lower())}(?!\w)", low)]
    has_code = "```" in asked or "Traceback (most recent call last)" in asked
    return [*(["code"] if has_code else []), *named[:MOST_NEW]]


def chosen(answer: object, choices: Iterable[str]) -> list[str]:
    """Those of a model's labels that may be given, each once, at most three."""
    permitted = set(choices)
    labels = answer if isinstance(answer, list | tuple) else []
    return [tag for tag in dict.fromkeys(map(str, labels)) if tag in permitted][:MOST_NEW]


def merged(present: Iterable[object] | None, new: Iterable[str]) -> list[str]:
    """The thread's tags and the new ones; a thread without any is a “chat”."""
    kept = [str(tag) for tag in present or []] or ["chat"]
    return list(dict.fromkeys([*kept, *new]))
