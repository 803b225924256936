"""Saved views of lists: what a list shows, under a name, for one person or for a tenant's people."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db import IntegrityError, models, transaction
from django.db.models import Case, Exists, IntegerField, OuterRef, Q, Value, When

from ai import tenancy
from ai.exceptions import Conflict
from ai.models.base import Record, TenantManager, TenantRecord

NAME_TAKEN = "You have a view with this name already; choose another name, or update that one."


class SavedViewManager(TenantManager):
    """The only writer of `ai_saved_view`."""

    def seen_by(self, person: str) -> models.QuerySet[SavedView]:
        """The person's own views, and those shared in the tenants in scope.

        A private view is nobody's but its owner's, so that it is in no tenant.
        """
        tenants = tenancy.current().tenants
        shared = Q(is_shared=True)
        if tenants is not None:
            shared &= Q(tenant_id__in=sorted(tenants))
        rows: models.QuerySet[SavedView] = models.Manager.get_queryset(self)
        return rows.filter(Q(owner_id=person, is_shared=False) | shared)

    def of_list(self, of: str, *, person: str, chosen: UUID | None = None) -> models.QuerySet[SavedView]:
        """Those of one list in the order of their names, the chosen one and the person's default (`is_default`) first."""
        mine = ViewDefault.objects.filter(person=person, of=of, view_id=OuterRef("pk"))
        place = Case(When(pk=chosen, then=Value(0)), default=Value(1), output_field=IntegerField())
        rows = self.seen_by(person).filter(of=of).annotate(is_default=Exists(mine), place=place)
        return rows.order_by("place", "-is_default", "name", "pk")

    def of_person(self, person: str, *, of: str) -> models.QuerySet[SavedView]:
        """What the person saved of a list and still sees: private, or shared in the tenants in scope."""
        return self.seen_by(person).filter(owner_id=person, of=of)

    def make(self, view: SavedView) -> SavedView:
        """Write a new view.

        Raises:
            Conflict: its owner has one with this name.
        """
        try:
            with transaction.atomic():
                view.save(force_insert=True)
                self._require_own_name(view.pk, person=view.owner_id)
        except IntegrityError:
            raise Conflict(NAME_TAKEN, param="name") from None
        return view

    def change(self, view_id: UUID, *, person: str, at: datetime, **values: Any) -> bool:
        """Change a view of this person's; False when there is none.

        Raises:
            Conflict: they have another one with this name.
        """
        mine: models.QuerySet[SavedView] = models.Manager.get_queryset(self)
        try:
            with transaction.atomic():
                if not mine.filter(pk=view_id, owner_id=person).update(modified=at, **values):
                    return False
                self._require_own_name(view_id, person=person)
        except IntegrityError:
            raise Conflict(NAME_TAKEN, param="name") from None
        return True

    def _require_own_name(self, view_id: UUID, *, person: str) -> None:
        """Within what the person sees a name is one view's; a tenant that they have left keeps none from them.

        Raises:
            Conflict: in the transaction that gave it the name, which is undone by that.
        """
        view = models.Manager.get_queryset(self).get(pk=view_id)
        if self.of_person(person, of=view.of).filter(name=view.name).exclude(pk=view_id).exists():
            raise Conflict(NAME_TAKEN, param="name")

    def remove(self, view_id: UUID) -> bool:
        """Delete a view, for everybody who opens their list with it too; False when there is none."""
        rows: models.QuerySet[SavedView] = models.Manager.get_queryset(self)
        with transaction.atomic():
            ViewDefault.objects.filter(view_id=view_id).delete()
            return bool(rows.filter(pk=view_id).delete()[0])


class SavedView(TenantRecord):
    """What a list shows: filters and words (`query`), columns, and the order of the rows."""

    of = models.CharField("list", max_length=100)
    name = models.CharField(max_length=100)
    owner_id = models.CharField(max_length=255)
    owner_name = models.CharField(max_length=255)
    is_shared = models.BooleanField(default=False)
    query = models.JSONField(default=dict, blank=True)
    columns = models.JSONField(default=list, blank=True)

    objects: ClassVar[SavedViewManager] = SavedViewManager()

    class Meta:
        db_table = "ai_saved_view"
        ordering = ("name", "pk")
        default_permissions = ("delete",)
        permissions = (("share_savedview", "Can share views with a tenant's people"),)
        indexes = (models.Index(fields=["of", "tenant_id", "name"], name="ai_saved_view_shared"),)
        constraints = (
            models.UniqueConstraint(
                fields=["owner_id", "of", "name"], name="ai_saved_view_name_once", condition=Q(is_shared=False)
            ),
            models.UniqueConstraint(
                fields=["owner_id", "of", "name", "tenant_id"],
                name="ai_saved_view_shared_name_once",
                condition=Q(is_shared=True),
            ),
            models.CheckConstraint(name="ai_saved_view_has_name", condition=~Q(name="")),
            models.CheckConstraint(
                name="ai_saved_view_shared_in_a_tenant",
                condition=Q(is_shared=True, tenant_id__isnull=False) | Q(is_shared=False, tenant_id__isnull=True),
            ),
        )

    def __str__(self) -> str:
        return self.name


class ViewDefaultManager(models.Manager["ViewDefault"]):
    """The only writer of `ai_view_default`."""

    def choose(self, *, person: str, of: str, view_id: UUID) -> None:
        """Open this list with this view from now on: one statement, however often it is asked."""
        row = ViewDefault(person=person, of=of, view_id=view_id)
        self.bulk_create([row], update_conflicts=True, unique_fields=["person", "of"], update_fields=["view_id"])

    def drop(self, *, person: str, of: str) -> bool:
        """Open this list as it is; False when that is so already."""
        return bool(self.filter(person=person, of=of).delete()[0])


class ViewDefault(Record):
    """The view with which a person opens a list. One that the person sees no longer is passed over."""

    person = models.CharField(max_length=255)
    of = models.CharField("list", max_length=100)
    view_id = models.UUIDField()

    objects: ClassVar[ViewDefaultManager] = ViewDefaultManager()

    class Meta:
        db_table = "ai_view_default"
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["person", "of"], name="ai_view_default_once"),)
        indexes = (models.Index(fields=["view_id"], name="ai_view_default_view"),)

    def __str__(self) -> str:
        return f"{self.of} of {self.person}"
