"""Accounts and memberships: superusers alone keep them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.test import Client

from ai.models import Tenant, TenantMembership
from console.env import PROJECT
from tests import factories
from tests.admin import world

PASSWORD = "correct-horse-battery"


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def root(db: None) -> Client:
    return signed_in(get_user_model().objects.create_superuser("root", "", "x"))


@pytest.fixture
def manager(db: None, tenant: Tenant) -> Any:
    """Staff with every permission there is, who is no superuser."""
    made = factories.staff(tenants=(tenant,))
    made.user_permissions.set(Permission.objects.all())
    return made


class TestAccounts:
    def test_are_out_of_reach_of_any_permission(self, manager: Any, tenant: Tenant) -> None:
        other, group = factories.staff(tenants=(tenant,)), Group.objects.create(name="Readers")
        client, before = signed_in(manager), world.fingerprint()
        users = ["", "add/", *(f"{other.pk}/{end}/" for end in ("change", "password", "delete", "history"))]
        groups = ["", "add/", *(f"{group.pk}/{end}/" for end in ("change", "delete", "history"))]
        urls = [f"/admin/auth/user/{end}" for end in users] + [f"/admin/auth/group/{end}" for end in groups]
        values = {"username": "new", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}

        got = {url: client.get(url).status_code for url in urls}
        posted = {url: client.post(url, {**values, "name": "x", "post": "yes"}).status_code for url in urls}

        assert set(got.values()) == set(posted.values()) == {403}
        assert "/admin/auth/" not in client.get("/admin/").content.decode()
        assert world.fingerprint() == before

    def test_are_kept_by_superusers(self, root: Client) -> None:
        values = {"username": "new", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
        root.post("/admin/auth/user/add/", values)
        made = get_user_model().objects.get(username="new")

        changed = {"usable_password": "true", "password1": PASSWORD * 2, "password2": PASSWORD * 2}
        root.post(f"/admin/auth/user/{made.pk}/password/", changed)

        made.refresh_from_db()
        assert made.check_password(PASSWORD * 2)


class TestMembers:
    def test_are_chosen_by_superusers(self, root: Client, tenant: Tenant) -> None:
        user = factories.user()

        root.post(f"/admin/ai/tenant/{tenant.pk}/change/", {"name": tenant.name, "members": [user.pk]})

        assert TenantMembership.objects.tenant_ids(user) == {tenant.pk}

    def test_are_names_to_others(self, manager: Any, tenant: Tenant) -> None:
        stranger = factories.user()
        client, url = signed_in(manager), f"/admin/ai/tenant/{tenant.pk}/change/"

        html = client.get(url).content.decode()
        client.post(url, {"name": "Renamed", "members": [stranger.pk]})

        tenant.refresh_from_db()
        assert manager.username in html
        assert stranger.username not in html
        assert tenant.name == "Renamed"
        assert TenantMembership.objects.tenant_ids(stranger) == frozenset()
        assert TenantMembership.objects.tenant_ids(manager) == {tenant.pk}


class TestProjectsWithUsersOfTheirOwn:
    def test_keep_their_own_pages(self, tmp_path: Path) -> None:
        (tmp_path / "accounts").mkdir()
        (tmp_path / "accounts" / "__init__.py").touch()
        (tmp_path / "accounts" / "models.py").write_text(
            "from django.contrib.auth.models import AbstractUser\n\n\nclass Account(AbstractUser):\n    pass\n"
        )
        (tmp_path / "accounts" / "admin.py").write_text(
            "from django.contrib import admin\nfrom accounts.models import Account\n\nadmin.site.register(Account)\n"
        )
        (tmp_path / "own.py").write_text(
            "from console.settings import *\n\nINSTALLED_APPS = [*INSTALLED_APPS, 'accounts']\nAUTH_USER_MODEL = 'accounts.Account'\n"
        )
        script = (
            "import django; django.setup(); from django.contrib import admin; "
            "print(sorted(f'{m.__name__}: {type(p).__module__}' for m, p in admin.site._registry.items() "
            "if m._meta.app_label in {'auth', 'accounts'}))"
        )
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{tmp_path}{os.pathsep}{PROJECT}",
            "CONSOLE_HOME": str(tmp_path / "home"),
            "CONSOLE_ENV_FILE": os.devnull,
            "DJANGO_SETTINGS_MODULE": "own",
        }

        ended = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

        assert ended.stdout.strip() == "['Account: django.contrib.admin.options', 'Group: ai.admin.people']", (
            ended.stderr
        )
