"""The keys that a person has chosen for what pages can do."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from ai.models.base import Record


class PersonKeysManager(models.Manager["PersonKeys"]):
    """The only writer of `ai_person_keys`."""

    def of(self, person: str) -> dict[str, Any]:
        """What they chose, as it was kept: one query."""
        found = self.filter(person=person).values_list("keys", flat=True).first()
        return found if isinstance(found, dict) else {}

    def keep(self, person: str, keys: dict[str, str]) -> None:
        """Keep what they chose; nothing at all is the keys as they come."""
        if not keys:
            self.filter(person=person).delete()
            return
        row = PersonKeys(person=person, keys=keys)
        self.bulk_create([row], update_conflicts=True, unique_fields=["person"], update_fields=["keys"])


class PersonKeys(Record):
    """One row for each person who chose any: action → key, only where it is another than it comes with."""

    person = models.CharField(max_length=255)
    keys = models.JSONField(default=dict)

    objects: ClassVar[PersonKeysManager] = PersonKeysManager()

    class Meta:
        db_table = "ai_person_keys"
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["person"], name="ai_person_keys_once"),)

    def __str__(self) -> str:
        return f"Keys of {self.person}"
