"""Users and groups, in Unfold's forms, for superusers alone: whoever changes an account can become its owner."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from ai.admin.parts.base import ActionChoices


class SuperusersOnly:
    """Goes before the page's class. Permissions do not open it: accounts belong to no tenant, and to every one."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Superusers only."""
        return _is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers only."""
        return _is_superuser(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Superusers only."""
        return _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers only; so it is with passwords."""
        return _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers only."""
        return _is_superuser(request)


class UserAdmin(SuperusersOnly, ActionChoices, DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    """Accounts."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "first_name", "last_name", "is_staff", "is_superuser", "last_login")
    list_per_page = 50
    list_fullwidth = True
    compressed_fields = True
    show_full_result_count = False
    ordering = ("username", "pk")


class GroupAdmin(SuperusersOnly, ActionChoices, DjangoGroupAdmin, ModelAdmin):
    """Roles: sets of permissions."""

    list_fullwidth = True
    compressed_fields = True
    show_full_result_count = False
    ordering = ("name", "pk")


def _is_superuser(request: HttpRequest) -> bool:
    user: Any = request.user
    return bool(user.is_active and user.is_superuser)


def _replace(model: Any, page: Any) -> None:
    """Put `page` where Django has its own; a project that has none there keeps none."""
    if admin.site.is_registered(model):
        admin.site.unregister(model)
        admin.site.register(model, page)


if get_user_model() is User:  # a project with users of its own has pages of its own for them
    _replace(User, UserAdmin)
_replace(Group, GroupAdmin)
