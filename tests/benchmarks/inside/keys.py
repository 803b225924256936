"""A queue and an inbox to go through by keyboard, in a console of any size, and somebody who is signed in."""

from __future__ import annotations

import django

django.setup()

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from ai import tenancy
from ai.models import Message, Tenant
from ai.services import actors
from ai.services.reviews import queues
from ai.services.selections import Selection
from tests.benchmarks.inside import tell

ITEMS = 100
CARDS = 2_000
QUESTIONS = [
    {"id": "helpful", "type": "yes_no", "text": "Was it helpful?"},
    {"id": "tone", "type": "choice", "text": "How was the tone?", "options": ["kind", "neutral", "cold"]},
]


def main() -> None:
    """Make them, and say where they are."""
    user, _ = User.objects.get_or_create(username="root", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(user)
    tenant = Tenant.objects.get(name="Load A")
    at = timezone.now()
    with tenancy.scope(tenant.pk):
        queue = queues.make(
            name="Keys", unit="thread", questions=QUESTIONS, tenant_id=tenant.pk, by=actors.SYSTEM, at=at
        )
        chosen = Selection.of_list("threads", {})
        queues.fill(queue_id=queue.pk, selection=chosen, sample=ITEMS, by=actors.SYSTEM, at=at)
        for number, row in enumerate(Message.objects.filter(role="assistant").order_by("pk")[:CARDS]):
            row.add_feedback({"rating": "down", "comment": f"Case {number} is wrong"}, f"reader {number}")
    tell(
        {
            "queue": f"/admin/ai/reviewqueue/{queue.pk}/change/",
            "inbox": f"/admin/ai/feedback/inbox/?tenant={tenant.pk}&rating=down",
            "items": ITEMS,
            "cookie": settings.SESSION_COOKIE_NAME,
            "session": client.cookies[settings.SESSION_COOKIE_NAME].value,
        }
    )


if __name__ == "__main__":
    main()
