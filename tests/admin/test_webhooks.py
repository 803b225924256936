"""The pages of webhooks and of their deliveries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from ai import tenancy
from ai.models import AuditEntry, Tenant, Webhook, WebhookDelivery
from ai.services.webhooks import hooks, sending
from tests import factories
from tests.admin.conversations import NOW
from tests.fakes.receivers import Receiver

pytestmark = pytest.mark.django_db

LIST = "/admin/ai/webhook/"
FORM = {"name": "Bridge", "url": "https://hooks.example.com/in", "events": ["mention"], "is_active": "on"}


@dataclass
class Desk:
    """A lead of a tenant."""

    tenant: Tenant
    user: Any
    client: Client


@pytest.fixture
def lead(db: None) -> Iterator[Desk]:
    tenant = factories.tenant("Some")
    user = factories.staff(tenants=(tenant,))
    user.groups.add(Group.objects.get(name="Lead"))
    client = Client()
    client.force_login(user)
    with tenancy.scope(tenant.pk):
        yield Desk(tenant, user, client)


def added(lead: Desk) -> Webhook:
    lead.client.post(f"{LIST}add/", FORM)
    found: Webhook = Webhook.objects.get()
    return found


class TestForm:
    def test_adds_one_and_shows_the_secret_once(self, lead: Desk) -> None:
        response = lead.client.post(f"{LIST}add/", FORM)

        html = response.content.decode()
        row = Webhook.objects.get()
        assert row.tenant_id == lead.tenant.pk
        assert row.secret() in html
        assert row.secret().startswith("whsec_")
        assert "no-store" in response["Cache-Control"]
        for url in (LIST, f"{LIST}{row.pk}/change/"):
            page = lead.client.get(url).content.decode()
            assert "Bridge" in page
            assert "whsec_" not in page
            assert row.encrypted_secret not in page

    @pytest.mark.parametrize(
        ("wrong", "says"),
        [
            ({"url": "http://hooks.example.com/in"}, "must begin with https://"),
            ({"url": "https://169.254.169.254/"}, "never allowed for a webhook"),
            ({"events": []}, "This field is required"),
            ({"events": ["gossip"]}, "gossip is not one of the available choices"),
            ({"name": ""}, "This field is required"),
        ],
    )
    def test_says_what_is_wrong_beside_the_field(self, lead: Desk, wrong: dict[str, Any], says: str) -> None:
        html = lead.client.post(f"{LIST}add/", {**FORM, **wrong}).content.decode()

        assert says in html
        assert not Webhook.objects.exists()

    def test_changes_one_and_keeps_the_secret(self, lead: Desk) -> None:
        row = added(lead)
        secret = row.secret()

        lead.client.post(f"{LIST}{row.pk}/change/", {**FORM, "name": "Other", "events": ["mention", "run.failed"]})

        row.refresh_from_db()
        assert (row.name, row.events, row.secret()) == ("Other", ["mention", "run.failed"], secret)

    def test_a_name_is_given_once(self, lead: Desk) -> None:
        added(lead)

        assert "of this name already" in lead.client.post(f"{LIST}add/", FORM).content.decode()

    def test_says_why_it_is_paused(self, lead: Desk) -> None:
        row = added(lead)
        Webhook.objects.pause(row.pk, reason="It <b>fails</b>.", at=NOW)

        html = lead.client.get(f"{LIST}{row.pk}/change/").content.decode()

        assert "It &lt;b&gt;fails&lt;/b&gt;." in html

    def test_a_form_that_was_open_does_not_make_it_active_again(self, lead: Desk) -> None:
        row = added(lead)
        page, url = lead.client.get(f"{LIST}{row.pk}/change/"), f"{LIST}{row.pk}/change/"
        Webhook.objects.pause(row.pk, reason="It fails.", at=NOW)

        seen = page.context["adminform"].form["seen_paused"].value()
        html = lead.client.post(url, {**FORM, "seen_paused": seen})

        assert "paused or made active meanwhile" in html.content.decode()
        row.refresh_from_db()
        assert (row.is_active, row.paused_because) == (False, "It fails.")
        again = html.context["adminform"].form
        assert not again["is_active"].value()
        lead.client.post(url, {**FORM, "seen_paused": again["seen_paused"].value()})
        row.refresh_from_db()
        assert (row.is_active, row.paused_at) == (True, None)

    def test_the_form_says_when_it_was_paused_and_shows_no_field_for_that(self, lead: Desk) -> None:
        row = added(lead)
        Webhook.objects.pause(row.pk, reason="It fails.", at=NOW)

        html = lead.client.get(f"{LIST}{row.pk}/change/").content.decode()

        assert f'<input type="hidden" name="seen_paused" value="{NOW.isoformat()}"' in html
        assert "Seen paused" not in html

    def test_says_what_the_service_refuses_and_keeps_what_was_typed(self, lead: Desk, settings: Any) -> None:
        for number in range(hooks.MOST_HOOKS):
            lead.client.post(f"{LIST}add/", {**FORM, "name": f"{number}"})

        many = lead.client.post(f"{LIST}add/", {**FORM, "name": "One more"})
        Webhook.objects.all().delete()
        settings.AI_SECRETS_KEY = ""
        keyless = lead.client.post(f"{LIST}add/", FORM)

        assert (many.status_code, keyless.status_code) == (200, 200)
        assert "A tenant has at most 50 webhooks." in many.content.decode()
        assert 'value="One more"' in many.content.decode()
        assert "AI_SECRETS_KEY" in keyless.content.decode()
        assert not Webhook.objects.exists()

    def test_deletes_one(self, lead: Desk) -> None:
        row = added(lead)

        lead.client.post(f"{LIST}{row.pk}/delete/", {"post": "yes"})

        assert not Webhook.objects.exists()
        assert AuditEntry.objects.filter(action="webhook.deleted").exists()

    def test_another_secret_is_shown_once(self, lead: Desk) -> None:
        row = added(lead)
        before = row.secret()
        assert "whsec_" not in lead.client.get(f"{LIST}{row.pk}/renew/").content.decode()

        html = lead.client.post(f"{LIST}{row.pk}/renew/").content.decode()

        row.refresh_from_db()
        assert row.secret() != before
        assert row.secret() in html


class TestDeliveries:
    def test_a_test_its_log_and_sending_again(self, lead: Desk) -> None:
        with Receiver() as receiver:
            receiver.script((500, b"<b>no</b>"), (200, b"yes"))
            row, _ = hooks.add(
                row=Webhook(tenant_id=lead.tenant.pk, name="Bridge", url=receiver.url, events=["mention"]),
                by=lead.user,
                at=NOW,
            )
            assert lead.client.get(f"{LIST}{row.pk}/test/").status_code == 200
            assert not WebhookDelivery.objects.exists()
            lead.client.post(f"{LIST}{row.pk}/test/")
            sent = WebhookDelivery.objects.get()
            sending.deliver(delivery_id=sent.pk, worker="w", now=lambda: sent.first_at)
            page = f"/admin/ai/webhookdelivery/{sent.pk}/"

            html = lead.client.get(f"{page}change/").content.decode()
            assert "&lt;b&gt;no&lt;/b&gt;" in html
            assert "Send again" not in html
            WebhookDelivery.objects.filter(pk=sent.pk).update(state="failed", next_at=None)
            assert "Send again" in lead.client.get(f"{page}change/").content.decode()
            assert lead.client.get(f"{page}again/").status_code == 200
            lead.client.post(f"{page}again/")
            again = WebhookDelivery.objects.get()
            sending.deliver(delivery_id=sent.pk, worker="w", now=lambda: again.first_at)

            assert WebhookDelivery.objects.get().state == "delivered"
            log = lead.client.get(f"/admin/ai/webhookdelivery/?webhook_id={row.pk}").content.decode()
            assert "webhook.test" in log
            assert "Delivered" in log

    def test_one_that_waits_is_not_sent_again(self, lead: Desk) -> None:
        row = added(lead)
        sent = hooks.test(webhook_id=row.pk, by=lead.user, at=NOW)

        html = lead.client.post(f"/admin/ai/webhookdelivery/{sent.pk}/again/", follow=True).content.decode()

        assert "It has not ended yet" in html


class TestOthers:
    def test_find_nothing(self, lead: Desk) -> None:
        row = added(lead)
        sent = hooks.test(webhook_id=row.pk, by=lead.user, at=NOW)
        stranger = factories.staff(tenants=(factories.tenant(),))
        stranger.groups.add(Group.objects.get(name="Lead"))
        client = Client()
        client.force_login(stranger)
        doors = [f"{LIST}{row.pk}/{door}/" for door in ("change", "delete", "test", "renew")]
        doors += [f"/admin/ai/webhookdelivery/{sent.pk}/{door}/" for door in ("change", "again")]

        assert {client.post(url, {"post": "yes"}).status_code for url in doors} <= {403, 404}
        assert {client.get(url).status_code for url in doors} == {404}
        assert "Bridge" not in client.get(LIST).content.decode()
        assert Webhook.objects.get().secret() == row.secret()
