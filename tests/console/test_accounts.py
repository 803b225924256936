"""The console's accounts: what a person may, by one query."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.accounts import AccountsBackend
from tests import factories

pytestmark = pytest.mark.django_db


def anew(user: Any) -> Any:
    """The same account without what was read before."""
    return get_user_model().objects.get(pk=user.pk)


class TestPermissions:
    @pytest.mark.parametrize("roles", [(), ("Viewer",), ("Reviewer", "Auditor")])
    def test_are_those_that_django_finds_by_one_query(self, roles: tuple[str, ...]) -> None:
        user = factories.staff("view_apikey", "delete_chatthread")
        user.groups.set(Group.objects.filter(name__in=roles))
        expected = ModelBackend().get_all_permissions(anew(user))
        asked = anew(user)

        with CaptureQueriesContext(connection) as seen:
            found = AccountsBackend().get_all_permissions(asked)
            again = AccountsBackend().get_all_permissions(asked)

        assert found == again == expected
        assert {"ai.view_apikey", "ai.delete_chatthread"} <= found
        assert len(seen) == 1

    def test_are_none_of_an_account_that_is_closed(self) -> None:
        user = factories.staff("view_apikey")
        user.is_active = False
        user.save()

        assert AccountsBackend().get_all_permissions(anew(user)) == set()
        assert not anew(user).has_perm("ai.view_apikey")

    def test_are_all_of_a_superuser(self) -> None:
        root = get_user_model().objects.create_superuser("root", "", "x")

        assert AccountsBackend().get_all_permissions(root) == ModelBackend().get_all_permissions(anew(root))

    def test_hold_for_everything_and_not_for_one_object(self) -> None:
        user = factories.staff("view_apikey")

        assert AccountsBackend().get_all_permissions(user, obj=user) == set()
