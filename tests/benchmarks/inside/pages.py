"""Times of the console's pages."""

from __future__ import annotations

import django

django.setup()

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from ai import tenancy
from ai.models import ChatThread, Message, Tenant, TenantMembership
from tests.benchmarks.inside import median_ms, tell

TIMES = 11
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


def time_of(client: Client, address: str) -> float:
    """The median time of one page."""

    def get() -> None:
        answer = client.get(address, HTTP_HOST="127.0.0.1")
        if answer.status_code != 200:
            raise RuntimeError(f"{address} answered {answer.status_code}.")

    return median_ms(get, times=TIMES)


def main() -> None:
    """Time every page for both."""
    found = {}
    pages = addresses()
    for name, user in people().items():
        client = Client()
        client.force_login(user)
        for page, address in pages.items():
            found[f"{page} ({name})"] = time_of(client, address)
    with tenancy.everything(reason="benchmark"):
        assert Message.objects.exists()
    tell(found)


if __name__ == "__main__":
    main()
