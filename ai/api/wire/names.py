"""Public ids of rows."""

from __future__ import annotations

from uuid import UUID

from ai import ids
from ai.models import ForeignId


class PublicIds:
    """Turns keys into public ids: those that came with an import keep theirs, looked up with one query at most."""

    def __init__(self, *keys: UUID | str | None) -> None:
        """`keys` are all that will be asked for; None and unknown ones do no harm."""
        self._adopted: dict[UUID, str] = ForeignId.objects.texts({UUID(str(key)) for key in keys if key})

    def of(self, kind: str, key: UUID | str) -> str:
        """The public id of the row of this kind, one of `ids.PREFIXES`."""
        uuid = key if isinstance(key, UUID) else UUID(key)
        return self._adopted.get(uuid) or ids.public(kind, uuid)

    def maybe(self, kind: str, key: UUID | str | None) -> str | None:
        """The same, or None where there is no row."""
        return self.of(kind, key) if key else None
