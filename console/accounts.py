"""Django's accounts, with all that a person may read by one query instead of two: every page asks for it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend


class AccountsBackend(ModelBackend):
    """Permissions of a person, and those of their groups, together."""

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """As Django's own: “app.codename” of everything that an active user may, kept for the request."""
        from django.contrib.auth.models import Permission  # noqa: PLC0415 - models are there when the first one signs in

        if not user_obj.is_active or user_obj.is_anonymous or obj is not None:
            return set()
        if user_obj.is_superuser:
            return super().get_all_permissions(user_obj, obj)
        if not hasattr(user_obj, "_perm_cache"):
            own = user_obj.user_permissions.order_by().values_list("content_type__app_label", "codename")
            of_groups = Permission.objects.filter(group__in=user_obj.groups.order_by().values("pk")).order_by()
            found = own.union(of_groups.values_list("content_type__app_label", "codename")).order_by()
            user_obj._perm_cache = {f"{app}.{codename}" for app, codename in found}
        kept: set[str] = user_obj._perm_cache
        return kept
