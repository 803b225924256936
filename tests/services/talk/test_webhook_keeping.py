"""Keeping webhooks: where they may lead, their secrets, tests, and the signature of the specification."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from datetime import datetime
from typing import Any

import pytest

from ai.exceptions import Conflict, Forbidden, InvalidInput
from ai.models import AuditEntry, Message, Webhook, WebhookDelivery
from ai.remote import posting
from ai.services.actors import SYSTEM
from ai.services.webhooks import hooks, signing
from tests.fakes.receivers import Receiver
from tests.services.talk.conftest import NOW, Talk
from tests.services.talk.telling import HOUR, collect, deliver, hook, rate

pytestmark = pytest.mark.django_db


class TestKeeping:
    @pytest.mark.parametrize(
        "url",
        [
            "http://example.com/in",
            "https://169.254.169.254/latest",
            "https://10.0.0.8/in",
            "https://[::1]:8000/in",
            "https://metadata.google.internal/",
            "ftp://example.com/in",
            "https://user:secret@example.com/in",
            "nonsense",
        ],
    )
    def test_refuses_addresses_that_nobody_meant(self, talk: Talk, settings: Any, url: str) -> None:
        settings.AI_PRIVATE_MODEL_HOSTS = []

        with pytest.raises(InvalidInput) as refused:
            hooks.add(row=Webhook(name="x", url=url, events=["mention"]), by=SYSTEM, at=NOW)

        assert "model" not in refused.value.message.replace("AI_PRIVATE_MODEL_HOSTS", "")

    async def test_refuses_a_private_address_when_connecting(self, receiver: Receiver, settings: Any) -> None:
        settings.AI_PRIVATE_MODEL_HOSTS = []

        answer = await posting.post("https://localtest.invalid/in", b"{}", {})
        direct = await posting.post(receiver.url.replace("http:", "https:"), b"{}", {})

        assert answer.status is direct.status is None
        assert answer.error
        assert "private or loopback" in direct.error
        assert receiver.got == []

    # No addresses as they are written, but the system's name service makes 127.0.0.1 of each.
    @pytest.mark.parametrize("name", ["127.1", "2130706433", "0x7f.1"])
    async def test_refuses_a_name_that_turns_out_to_be_private(
        self, receiver: Receiver, settings: Any, name: str
    ) -> None:
        settings.AI_PRIVATE_MODEL_HOSTS = []
        url = receiver.url.replace("http://127.0.0.1", f"https://{name}")

        posting.check(url)
        answer = await posting.post(url, b"{}", {})

        assert name in url
        assert answer.status is None
        assert "refused before it was made" in answer.error
        assert receiver.got == []

    async def test_unpacks_nothing_of_an_answer(self, receiver: Receiver) -> None:
        bomb = gzip.compress(gzip.compress(bytes(64 * 1024 * 1024)))
        receiver.script((200, bomb, {"Content-Encoding": "gzip, gzip"}))

        tracemalloc.start()
        answer = await posting.post(receiver.url, b"{}", {})
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

        assert receiver.got[0].headers["accept-encoding"] == "identity"
        assert (answer.status, len(answer.text) <= posting.MOST_BYTES) == (200, True)
        assert most < 8 * 1024 * 1024

    def test_the_audit_log_has_the_server_alone(self, talk: Talk) -> None:
        row = Webhook(name="Chat", url="https://hooks.example.com/services/T0/secret-token?x=1", events=["mention"])

        hooks.add(row=row, by=SYSTEM, at=NOW)
        hooks.change(row=row, by=SYSTEM, at=NOW)
        hooks.delete(row=row, by=SYSTEM, at=NOW)

        entries = AuditEntry.objects.filter(action__startswith="webhook.")
        assert {entry.data["url"] for entry in entries} == {"https://hooks.example.com"}

    def test_a_tenant_has_as_many_as_it_says(self, talk: Talk) -> None:
        def add(number: int) -> None:
            row = Webhook(name=f"{number}", url="https://hooks.example.com/in", events=["mention"])
            hooks.add(row=row, by=SYSTEM, at=NOW)

        for number in range(hooks.MOST_HOOKS):
            add(number)

        with pytest.raises(InvalidInput, match="at most 50"):
            add(hooks.MOST_HOOKS)

    def test_one_that_was_paused_meanwhile_stays_so(self, talk: Talk, receiver: Receiver) -> None:
        row, _ = hook(talk, receiver)
        Webhook.objects.pause(row.pk, reason="It fails.", at=NOW)

        with pytest.raises(Conflict, match="meanwhile"):
            hooks.change(row=row, by=SYSTEM, at=NOW + HOUR)

        assert not Webhook.objects.get().is_active

    def test_keeps_the_secret_encrypted_and_renews_it(self, talk: Talk, receiver: Receiver) -> None:
        row, secret = hook(talk, receiver, "feedback.created")
        assert secret not in json.dumps(list(Webhook.objects.values("encrypted_secret", "name")))
        assert secret not in json.dumps(list(AuditEntry.objects.values_list("data", flat=True)))

        _, other = hooks.renew_secret(webhook_id=row.pk, by=SYSTEM, at=NOW)
        rate(talk)
        collect()
        deliver()

        assert receiver.got[0].is_signed_with(other)
        assert not receiver.got[0].is_signed_with(secret)

    def test_is_for_those_who_may(self, talk: Talk) -> None:
        row = Webhook(name="x", url="https://example.com/in", events=["mention"])

        with pytest.raises(Forbidden):
            hooks.add(row=row, by=talk.ana, at=NOW)
        with pytest.raises(InvalidInput, match="events"):
            hooks.add(row=Webhook(name="x", url="https://example.com/in", events=["gossip"]), by=SYSTEM, at=NOW)

    def test_names_are_their_own_within_a_tenant(self, talk: Talk, receiver: Receiver) -> None:
        hook(talk, receiver)

        with pytest.raises(Conflict):
            hook(talk, receiver)

    def test_a_test_and_sending_again(self, talk: Talk, receiver: Receiver) -> None:
        row, secret = hook(talk, receiver, "mention")
        sent = hooks.test(webhook_id=row.pk, by=SYSTEM, at=NOW)
        with pytest.raises(Conflict):
            hooks.send_again(delivery_id=sent.pk, by=SYSTEM, at=NOW)
        deliver()

        hooks.send_again(delivery_id=sent.pk, by=SYSTEM, at=NOW + HOUR)
        deliver(NOW + HOUR)

        first, second = receiver.got
        assert first.said["type"] == "webhook.test"
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert second.is_signed_with(secret)

    def test_is_deleted_with_its_deliveries(self, talk: Talk, receiver: Receiver) -> None:
        row, _ = hook(talk, receiver, "mention")
        hooks.test(webhook_id=row.pk, by=SYSTEM, at=NOW)

        hooks.delete(row=row, by=SYSTEM, at=NOW)

        assert not WebhookDelivery.objects.exists()
        assert Message.objects.exists()


class TestSigning:
    def test_is_that_of_the_specifications_example(self) -> None:
        found = signing.headers(
            secret="whsec_plJ3nmyCDGBKInavdOK15jsl",
            message_id="msg_loFOjxBNrRLzqYUf",
            at=datetime.fromtimestamp(1731705121, tz=NOW.tzinfo),
            body=b'{"event_type":"ping","data":{"success":true}}',
        )

        assert found["webhook-signature"] == "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="
