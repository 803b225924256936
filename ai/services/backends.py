"""Who somebody is and what they may do, as Django has it, asked in one query instead of two.

Every page of the console asks for permissions; what that saves pays for the bell in the page's header.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission


class OneQueryBackend(ModelBackend):
    """Django's own backend; what somebody may do themselves and through groups comes together."""

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """The permissions ("ai.view_run"), kept with the user as Django keeps them."""
        is_nobody = not user_obj.is_active or user_obj.is_anonymous
        if is_nobody or obj is not None or user_obj.is_superuser or hasattr(user_obj, "_perm_cache"):
            return super().get_all_permissions(user_obj, obj)
        columns = ("content_type__app_label", "codename")
        own = Permission.objects.filter(user=user_obj).order_by().values_list(*columns)
        through = Permission.objects.filter(group__user=user_obj).order_by().values_list(*columns)
        user_obj._perm_cache = {f"{app}.{name}" for app, name in own.union(through)}
        return user_obj._perm_cache  # type: ignore[no-any-return]
