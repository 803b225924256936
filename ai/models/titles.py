"""Writing the titles of threads: by people, and by rules and models, which leave a locked title alone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count

from ai.exceptions import NotFound
from ai.models.search import SearchDocument
from ai.models.thread_tags import ThreadTag
from ai.stores.serialization import clean_text
from ai.stores.tags import fitting

if TYPE_CHECKING:
    from ai.models.threads import ChatThread

NAME_CHARACTERS = 700


class TitleWriter:
    """The part of the manager of threads that writes titles."""

    if TYPE_CHECKING:
        filter: Any
        get: Any
        locked: Any

    def rename(self, thread_id: UUID, *, name: str, at: datetime, lock: bool = False) -> ChatThread:
        """Give the thread a title, at most 700 characters; `lock` keeps rules and models from changing it."""
        title = " ".join(clean_text(name).split())[:NAME_CHARACTERS]
        values: dict[str, Any] = {"title_locked": True} if lock else {}
        with transaction.atomic():
            if not self.filter(pk=thread_id).update(name=title, modified=at, **values):
                raise NotFound(f"No thread found with id '{thread_id}'.")
            thread: ChatThread = self.get(pk=thread_id)
            SearchDocument.objects.retitle(thread_id=thread_id, tenant_id=thread.tenant_id, title=title)
        return thread

    def lock_title(self, thread_id: UUID, *, locked: bool, at: datetime) -> bool:
        """Keep rules and models from changing the title, or let them again; False when it was so already."""
        changed = self.filter(pk=thread_id, title_locked=not locked).update(title_locked=locked, modified=at)
        return bool(changed)

    def known_tags(self, tenant_id: UUID | None, *, most: int) -> list[str]:
        """The tags that the tenant's threads carry, the most used first."""
        rows = ThreadTag._base_manager.filter(tenant_id=tenant_id).values("tag").annotate(count=Count("pk"))
        return list(rows.order_by("-count", "tag").values_list("tag", flat=True)[:most])

    def retitle(self, thread_id: UUID, *, name: str | None, tags: list[str], at: datetime) -> ChatThread | None:
        """Set the title and tags that were found for a thread, and note it in `data["tagged"]`; None when it is gone.

        Of more tags than a thread can carry the first ones are kept.
        """
        tags = fitting(tags)
        with transaction.atomic():
            thread: ChatThread | None = self.locked(thread_id)
            if thread is None:
                return None
            thread.name = None if name is None else " ".join(clean_text(name).split())[:NAME_CHARACTERS]
            thread.tags, thread.data = tags, {**(thread.data or {}), "tagged": True}
            self.filter(pk=thread.pk).update(name=thread.name, tags=tags, data=thread.data, modified=at)
            ThreadTag.write([thread])
            SearchDocument.objects.retitle(thread_id=thread.pk, tenant_id=thread.tenant_id, title=thread.name or "")
        return thread

    def swap_title(
        self,
        thread_id: UUID,
        *,
        old: str | None,
        new: str | None,
        at: datetime,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
    ) -> str:
        """Give a thread that is still called `old` the title `new`, and other tags.

        "done", or why nothing was changed: it is "gone", its title is "locked", or somebody has "changed" it.
        """
        with transaction.atomic():
            thread = self.locked(thread_id)
            if thread is None:
                return "gone"
            if thread.title_locked or thread.name != old:
                return "locked" if thread.title_locked else "changed"
            dropped = set(remove)
            tags = [*(tag for tag in map(str, thread.tags or []) if tag not in dropped), *add]
            self.retitle(thread.pk, name=new, tags=list(dict.fromkeys(tags)), at=at)
        return "done"
