"""`kill -9` of a real worker while it delivers to a webhook: the next one delivers the same again."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from ai import tenancy
from ai.models import Message, Tenant, Webhook, WebhookDelivery
from ai.services import feedback
from ai.services.actors import SYSTEM
from ai.services.webhooks import collecting, hooks
from tests import factories
from tests.fakes.receivers import Receiver
from tests.runs import processes
from tests.runs.processes import Process

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Process]:
    made = processes.worker(tmp_path)
    yield made
    made.close()


def states() -> list[tuple[str, int]]:
    return list(WebhookDelivery.objects.values_list("state", "attempts"))


class TestKilledWorker:
    def test_what_it_was_sending_arrives_all_the_same(self, tenant: Tenant, worker: Process) -> None:
        with Receiver(delay=15) as receiver, tenancy.scope(tenant.pk):
            collecting.sweep(at=timezone.now())
            row = Webhook(tenant_id=tenant.pk, name="Bridge", url=receiver.url, events=["feedback.created"])
            _, secret = hooks.add(row=row, by=SYSTEM, at=timezone.now())
            thread = factories.thread(tenant, *factories.talk(1))
            answer = Message.objects.list_thread_messages(thread.pk).get(role="assistant")
            worker.start()
            feedback.give(message_id=answer.pk, rating="down", by=SYSTEM, at=timezone.now())
            processes.until(lambda: len(receiver.got) == 1, saying=states)

            worker.end(signal.SIGKILL)
            before = states()
            receiver.delay = 0
            worker.start()
            processes.until(lambda: states() == [("delivered", 2)], saying=states)

            assert before == [("pending", 1)]
            first, second = receiver.got
            assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
            assert second.is_signed_with(secret)
