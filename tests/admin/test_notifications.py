"""The bell, the list behind it, and what people want to be told of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ai import tenancy
from ai.models import Notification, NotificationChoice, Tenant, TenantMembership
from ai.services import notifications
from ai.services.actors import SYSTEM
from tests import factories
from tests.admin.conversations import NOW

pytestmark = pytest.mark.django_db

LIST, READ, CHOICES = (f"/admin/ai/notification/{door}" for door in ("", "read/", "choices/"))


@dataclass
class Person:
    """Somebody with a signed-in browser."""

    tenant: Tenant
    user: Any
    client: Client

    def tell(self, number: int = 0, title: str = "zanzibar mentions you", **more: Any) -> Notification:
        with tenancy.scope(self.tenant.pk):
            notifications.tell(
                "mention",
                to=[self.user],
                key=f"{number}",
                title=title,
                by=SYSTEM,
                at=NOW,
                tenant_id=self.tenant.pk,
                **more,
            )
        with tenancy.everything(reason="test"):
            found: Notification = Notification.objects.get(user_id=str(self.user.pk), key=f"{number}")
            return found

    def unread(self) -> int:
        with tenancy.everything(reason="test"):
            return int(Notification.objects.filter(user_id=str(self.user.pk), is_read=False).count())


def person(tenant: Tenant) -> Person:
    user = factories.staff("view_chatthread", "view_message", tenants=(tenant,))
    client = Client()
    client.force_login(user)
    return Person(tenant, user, client)


@pytest.fixture
def ana(db: None) -> Person:
    return person(factories.tenant("Some"))


class TestBell:
    def test_says_how_many_are_unread(self, ana: Person) -> None:
        assert 'aria-label="Notifications"' in ana.client.get("/admin/").content.decode()
        for number in range(3):
            ana.tell(number)

        assert 'aria-label="Notifications: 3 unread"' in ana.client.get("/admin/").content.decode()

    def test_counts_to_ninety_nine(self, ana: Person) -> None:
        for number in range(101):
            ana.tell(number)

        assert "Notifications: 99+ unread" in ana.client.get("/admin/").content.decode()

    def test_comes_along_with_the_memberships(self, ana: Person) -> None:
        ana.tell()

        with CaptureQueriesContext(connection) as seen:
            html = ana.client.get("/admin/ai/chatthread/").content.decode()

        asked = [query["sql"] for query in seen.captured_queries if "ai_notification" in query["sql"]]
        assert "Notifications: 1 unread" in html
        assert [sql.startswith('SELECT "ai_tenant_membership"') for sql in asked] == [True]

    def test_is_not_for_staff_who_may_do_nothing(self, ana: Person) -> None:
        client = Client()
        client.force_login(factories.staff(tenants=(ana.tenant,)))

        assert "k-bell" not in client.get("/admin/").content.decode()
        assert client.get(LIST).status_code == 403


class TestList:
    def test_shows_ones_own_and_nobody_elses(self, ana: Person) -> None:
        ben = person(ana.tenant)
        ana.tell()

        assert "zanzibar mentions you" in ana.client.get(LIST).content.decode()
        assert "zanzibar" not in ben.client.get(LIST).content.decode()

    def test_opens_marks_as_read_and_leads_there(self, ana: Person) -> None:
        thread = factories.thread(ana.tenant, {"role": "user", "content": "x"})
        row = ana.tell(thread_id=thread.pk)

        ana.client.get(f"/admin/ai/notification/{row.pk}/change/")
        assert ana.unread() == 1
        response = ana.client.post(f"/admin/ai/notification/{row.pk}/open/")

        assert response["Location"] == f"/admin/ai/chatthread/{thread.pk}/change/"
        assert ana.unread() == 0

    def test_marks_one_or_all_as_read(self, ana: Person) -> None:
        rows = [ana.tell(number) for number in range(3)]

        ana.client.post(READ, {"one": str(rows[0].pk)})
        assert ana.unread() == 2
        assert "Mark all as read" in ana.client.get(LIST).content.decode()
        ana.client.post(READ)

        assert ana.unread() == 0
        assert "Mark all as read" not in ana.client.get(LIST).content.decode()

    @pytest.mark.parametrize("number", ["9" * 5000, "999999999", "-1", "x", "²"])
    def test_whatever_page_is_asked_for_there_is_one(self, ana: Person, number: str) -> None:
        assert ana.client.get(LIST, {"p": number}).status_code == 200

    def test_nobody_opens_or_marks_what_is_somebody_elses(self, ana: Person) -> None:
        ben, row = person(ana.tenant), ana.tell()

        assert ben.client.post(f"/admin/ai/notification/{row.pk}/open/").status_code == 404
        assert ben.client.get(f"/admin/ai/notification/{row.pk}/change/").status_code == 404
        ben.client.post(READ, {"one": str(row.pk)})
        ben.client.post(READ)

        assert ana.unread() == 1

    def test_of_a_tenant_that_somebody_left_nothing_is_shown(self, ana: Person) -> None:
        row = ana.tell(text="zanzibar said")
        TenantMembership.objects.filter(user=ana.user).delete()
        TenantMembership.objects.create(user=ana.user, tenant_id=factories.tenant().pk)

        pages = [ana.client.get(url).content.decode() for url in ("/admin/", LIST)]

        assert "zanzibar" not in "".join(pages)
        assert 'aria-label="Notifications"' in pages[0]
        assert ana.client.post(f"/admin/ai/notification/{row.pk}/open/").status_code == 404

    def test_is_escaped(self, ana: Person) -> None:
        ana.tell(title="<script>alert(1)</script>", text="<img src=x>\u202e")

        html = ana.client.get(LIST).content.decode()

        assert "<script>alert(1)" not in html
        assert "<img src=x>" not in html
        assert "\u202e" not in html

    def test_costs_the_same_for_one_and_for_many(self, ana: Person) -> None:
        costs = []
        for start, count in ((0, 1), (1, 60)):
            for number in range(start, start + count):
                ana.tell(number)
            with CaptureQueriesContext(connection) as seen:
                ana.client.get(LIST)
            costs.append(len(seen))

        assert costs[0] == costs[1] <= 8


class TestChoices:
    def test_are_kept_for_each_kind(self, ana: Person, settings: Any) -> None:
        settings.AI_CONSOLE_URL = "https://console.example.com"

        ana.client.post(CHOICES, {"console-mention": "yes", "email-mention": "digest", "email-job": "once"})

        mine = NotificationChoice.objects.filter(user_id=str(ana.user.pk))
        assert set(mine.values_list("kind", "in_console", "email")) >= {
            ("mention", True, "digest"), ("job", False, "once"), ("reply", False, "never"),
        }  # fmt: skip
        assert f"E-mail goes to {ana.user.email}" in ana.client.get(CHOICES).content.decode()

    def test_say_so_where_no_email_is_sent(self, ana: Person) -> None:
        html = ana.client.get(CHOICES).content.decode()

        assert "This console sends no e-mail" in html
        assert "email-mention" not in html

    def test_refuse_what_is_not_offered(self, ana: Person) -> None:
        html = ana.client.post(CHOICES, {"email-job": "hourly"}, follow=True).content.decode()

        assert "Choose one of what the page offers." in html
        assert not NotificationChoice.objects.exists()
