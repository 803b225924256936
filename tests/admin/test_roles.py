"""The roles: which pages each of them may open. The table says it for every address of every page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import resolve

from ai.models import LanguageModel, Tenant, roles
from tests import factories
from tests.admin import world

pytestmark = pytest.mark.django_db

ROLES = ("Viewer", "Reviewer", "Operator", "Lead", "Auditor")

#: Of each page, by the name of its address: what each role is answered.
MATRIX: dict[str, dict[str, int]] = json.loads(Path(__file__).with_name("role_matrix.json").read_text())

#: What only superusers may: everything about accounts and secrets, and what no page offers.
SUPERUSERS = re.compile(
    r"(add|change|delete)_(apikey|tenant|tenantmembership|remoteconnection|languagemodel|job|run|runstep|feedback|reviewqueue"
    r"|datasource|assistant|message|chatthread)|revoke_apikey|view_(apikey|tenantmembership|tenant)"
    r"|(import|export)_(languagemodel|modelroute|tenant|vectorstore|remoteconnection)"
)


def member(role: str, tenant: Tenant) -> Client:
    """Somebody of the tenant with this role."""
    user = factories.staff(tenants=(tenant,))
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def answers(role: str) -> dict[str, int]:
    """What the role is answered at every address of every page, by the address' name."""
    tenant = Tenant.objects.create(name=f"World of {role}s")
    rows: dict[Any, Any] = {
        **world.build(tenant).rows,
        LanguageModel: world.model_named(f"model-{role.lower()}"),
        Group: Group.objects.first(),
    }
    client, found = member(role, tenant), {}
    for url in ["/admin/", *world.urls_of(rows)]:
        response: Any = client.get(url)
        if response.streaming:
            b"".join(response.streaming_content)
        found[str(resolve(url.partition("?")[0]).view_name).removeprefix("admin:")] = response.status_code
    return found


class TestRoles:
    @pytest.mark.parametrize("role", ROLES)
    def test_each_page_answers_as_the_table_says(self, role: str) -> None:
        expected = {name: statuses[role] for name, statuses in MATRIX.items()}

        assert answers(role) == expected

    def test_every_permission_belongs_to_a_role_or_to_superusers(self) -> None:
        given = set(Permission.objects.filter(group__name__in=ROLES).values_list("codename", flat=True))
        every = set(Permission.objects.filter(content_type__app_label="ai").values_list("codename", flat=True))

        assert [name for name in sorted(every - given) if not SUPERUSERS.fullmatch(name)] == []

    def test_who_may_look_may_change_nothing(self) -> None:
        looks = Permission.objects.filter(group__name__in=["Viewer", "Auditor"]).values_list("codename", flat=True)

        assert {name.partition("_")[0] for name in looks} == {"view", "download", "export"}

    def test_new_permissions_go_to_the_roles_that_are_still_there(self) -> None:
        Group.objects.get(name="Operator").delete()
        lead = Group.objects.get(name="Lead")
        lead.permissions.clear()

        roles.add(apps, "share_savedview", "delete_savedview", using="default")

        assert set(lead.permissions.values_list("codename", flat=True)) == {"share_savedview", "delete_savedview"}
        assert not Group.objects.filter(name="Operator").exists()

    def test_each_wider_role_may_what_the_narrower_one_may(self) -> None:
        def may(role: str) -> set[str]:
            return set(Group.objects.get(name=role).permissions.values_list("codename", flat=True))

        assert may("Viewer") < may("Reviewer") < may("Operator") < may("Lead")
        assert may("Viewer") < may("Auditor")
