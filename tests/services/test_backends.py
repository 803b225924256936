"""Permissions come in one query, and are those of Django's own backend."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ai.services.backends import OneQueryBackend
from tests import factories

pytestmark = pytest.mark.django_db


def again(user: Any) -> Any:
    """The user as a new request finds them."""
    return get_user_model()._default_manager.get(pk=user.pk)


class TestPermissions:
    def test_are_those_that_django_finds(self) -> None:
        user = factories.staff("view_run", "view_job")
        group = Group.objects.create(name="Runners")
        group.permissions.set(Permission.objects.filter(codename__in=["view_run", "replay_run"]))
        user.groups.add(group, Group.objects.get(name="Viewer"))
        expected = ModelBackend().get_all_permissions(again(user))

        with CaptureQueriesContext(connection) as seen:
            mine = again(user)
            found = OneQueryBackend().get_all_permissions(mine)
            once_more = OneQueryBackend().get_all_permissions(mine)

        assert found == once_more == expected
        assert {"ai.view_run", "ai.view_job", "ai.replay_run", "ai.view_message"} <= found
        assert len(seen) == 2

    def test_of_somebody_who_has_left_are_none(self) -> None:
        user = factories.staff("view_run")
        user.is_active = False

        assert OneQueryBackend().get_all_permissions(user) == set()
        assert not user.has_perm("ai.view_run")

    def test_of_a_superuser_are_all(self) -> None:
        root = get_user_model().objects.create_superuser("root", "", "x")

        assert len(OneQueryBackend().get_all_permissions(root)) == Permission.objects.count()

    def test_the_console_asks_it(self) -> None:
        user = again(factories.staff("view_run"))

        assert user.has_perm("ai.view_run")
        assert not user.has_perm("ai.replay_run")
        assert user.has_module_perms("ai")
