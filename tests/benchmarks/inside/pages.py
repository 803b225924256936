"""Times of the console's pages, one whenever it is asked for, so that two consoles can take turns."""

from __future__ import annotations

import sys
import time

import django

django.setup()

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from ai import tenancy
from ai.models import ChatThread, Tenant, TenantMembership
from tests.benchmarks.inside import tell

TRANSCRIPT_MESSAGES = 30


def people() -> dict[str, User]:
    """Somebody who sees every tenant, and somebody who works for one."""
    superuser, _ = User.objects.get_or_create(username="root", is_staff=True, is_superuser=True)
    staff, made = User.objects.get_or_create(username="staff", is_staff=True)
    if made:
        staff.user_permissions.set(Permission.objects.filter(content_type__app_label="ai"))
        TenantMembership.objects.create(user=staff, tenant_id=Tenant.objects.get(name="Load A").pk)
    return {"superuser": superuser, "staff": staff}


def addresses() -> dict[str, str]:
    """The pages, by name."""
    threads = reverse("admin:ai_chatthread_changelist")
    with tenancy.scope(Tenant.objects.get(name="Load A").pk):
        counted = ChatThread.objects.filter(message_count__lte=TRANSCRIPT_MESSAGES)
        thread = counted.order_by("-message_count", "pk").first()
        user = ChatThread.objects.filter(user_id="user-0").values_list("user_id", flat=True)[0]
    return {
        "threads": threads,
        "threads, second page": f"{threads}?p=2",
        "threads by tag": f"{threads}?tag=travel",
        "threads by model": f"{threads}?model=mistral:mistral-small-latest",
        "threads by feedback": f"{threads}?feedback=up",
        "threads by user": f"{threads}?user={user}",
        "threads, a search": f"{threads}?q=order+refund",
        "transcript": reverse("admin:ai_chatthread_change", args=[thread.pk]),
        "messages": reverse("admin:ai_message_changelist"),
        "runs": reverse("admin:ai_run_changelist"),
        "feedback": reverse("admin:ai_feedback_changelist"),
        "dashboard": reverse("admin:index"),
    }


def get(client: Client, address: str) -> float:
    """The milliseconds that one page took."""
    begin = time.perf_counter()
    answer = client.get(address, HTTP_HOST="127.0.0.1")
    taken = time.perf_counter() - begin
    if answer.status_code != 200:
        raise RuntimeError(f"{address} answered {answer.status_code}.")
    return taken * 1000


def main() -> None:
    """Say what pages there are; then, for each that is named on a line, how long it took."""
    pages: dict[str, tuple[Client, str]] = {}
    for name, user in people().items():
        client = Client()
        client.force_login(user)
        pages |= {f"{page} ({name})": (client, address) for page, address in addresses().items()}
    tell(list(pages))
    for line in sys.stdin:
        client, address = pages[line.strip()]
        tell(get(client, address))


if __name__ == "__main__":
    main()
