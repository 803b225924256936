"""E-mail about notifications: at once or once a day, once, and to nobody who should not get it."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import django
import pytest
from django.contrib.auth.models import Permission
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.test import override_settings

from ai.models import Notification, TenantMembership
from ai.models.notifications import Kind
from ai.services import feedback, notifications
from ai.services.actors import SYSTEM
from ai.services.comments import settling, writing
from ai.services.notifications import choices, mailing, reading
from ai.services.notifications.choices import Choice
from ai.services.working import Clock
from ai.tasks import notifications as tasks
from tests.services.talk.conftest import NOW, Talk

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("address")]

MINUTE = timedelta(minutes=1)
SERVER = "https://console.example.com"


class DownBackend(BaseEmailBackend):
    """A mail server that is down."""

    def send_messages(self, email_messages: Any) -> int:
        """Fail as the real one does."""
        raise smtplib.SMTPServerDisconnected("please run connect() first")


def clock(at: datetime, *, each: timedelta = timedelta(0), meanwhile: Callable[[int], Any] = lambda _: None) -> Clock:
    """The time, as it goes on while e-mails are sent: each takes so long, and `meanwhile` is what else happens then."""
    seen = 0

    def now() -> datetime:
        nonlocal seen
        while seen < len(mail.outbox):
            seen += 1
            meanwhile(seen)
        return at + seen * each

    return now


def through(backend: str) -> Any:
    """E-mail goes another way meanwhile."""
    if django.VERSION >= (6, 1):
        return override_settings(MAILERS={"default": {"BACKEND": backend}})
    return override_settings(EMAIL_BACKEND=backend)


@pytest.fixture
def address(settings: Any) -> None:
    settings.AI_CONSOLE_URL = SERVER + "/"


def wants(talk: Talk, email: str) -> None:
    choices.choose({kind: Choice(email=email) for kind in Kind.values}, by=talk.ben, at=NOW)


def mention(talk: Talk, text: str = "Look, @ben.b", at: datetime = NOW) -> None:
    writing.add(**talk.on, text=text, by=talk.ana, at=at)


def send(talk: Talk, at: datetime = NOW, *, worker: str = "w1") -> int:
    return mailing.send(user_id=str(talk.ben.pk), worker=worker, now=lambda: at)


def states() -> list[str]:
    return list(Notification.objects.order_by("at", "pk").values_list("email_state", flat=True))


class TestAtOnce:
    def test_goes_to_who_wants_it_with_a_link(self, talk: Talk) -> None:
        wants(talk, "once")
        mention(talk, "<b>Look</b>, @ben.b")

        assert send(talk) == 1

        sent: Any = mail.outbox[0]
        assert (sent.to, sent.subject) == (["ben.b@example.com"], "ana mentions you in a comment")
        link = f"{SERVER}/admin/ai/chatthread/{talk.thread.pk}/change/?message={talk.answer.pk}"
        assert "<b>Look</b>, @ben.b" in sent.body
        assert link in sent.body
        assert f"{SERVER}/admin/ai/notification/choices/" in sent.body
        html, kind = sent.alternatives[0]
        assert kind == "text/html"
        assert "&lt;b&gt;Look&lt;/b&gt;" in html
        assert "<b>Look" not in html

    def test_is_sent_once_whoever_is_asked(self, talk: Talk) -> None:
        wants(talk, "once")
        mention(talk)

        counts = [send(talk), send(talk, worker="w2"), send(talk, NOW + timedelta(days=1))]

        assert (counts, len(mail.outbox), states()) == ([1, 0, 0], 1, ["sent"])

    def test_is_not_for_who_has_chosen_nothing(self, talk: Talk) -> None:
        mention(talk)

        assert send(talk) == 0
        assert states() == ["none"]

    def test_wakes_a_worker(
        self, talk: Talk, sent_tasks: list[Any], django_capture_on_commit_callbacks: Callable[..., Any]
    ) -> None:
        wants(talk, "once")

        with django_capture_on_commit_callbacks(execute=True):
            mention(talk)

        assert ("ai.tasks.notifications.mail", {"user_id": str(talk.ben.pk)}) in sent_tasks

    def test_the_task_sends_it(self, talk: Talk) -> None:
        wants(talk, "once")
        mention(talk)

        tasks.mail(user_id=str(talk.ben.pk), priority="high")

        assert len(mail.outbox) == 1

    def test_no_title_reaches_the_headers(self, talk: Talk) -> None:
        wants(talk, "once")
        notifications.tell(
            "job", to=[talk.ben], key="1", title="Done\r\nBcc: victim@example.com\nX: 1", by=SYSTEM, at=NOW,
            tenant_id=talk.tenant.pk,
        )  # fmt: skip

        assert send(talk) == 1

        message = mail.outbox[0].message()
        assert message["Subject"] == "Done Bcc: victim@example.com X: 1"
        assert message["Bcc"] is None
        assert mail.outbox[0].recipients() == ["ben.b@example.com"]


class TestDigest:
    def test_is_one_a_day_with_all_that_is_unread(self, talk: Talk) -> None:
        wants(talk, "digest")
        for minute in range(3):
            mention(talk, f"Look {minute}, @ben.b", NOW + minute * MINUTE)
        reading.mark_read([reading.listing(talk.ben).rows[0].pk], by=talk.ben, at=NOW)

        assert send(talk, NOW + MINUTE) == 0
        assert send(talk, datetime(2026, 5, 5, 7, 0, tzinfo=UTC)) == 1

        assert mail.outbox[0].subject == "2 new in Marvin Console"
        assert "Look 0" in mail.outbox[0].body
        assert "Look 1" in mail.outbox[0].body
        assert sorted(states()) == ["dropped", "sent", "sent"]

    @pytest.mark.parametrize(
        ("hour", "now", "expected"), [(7, 6, (4, 7)), (7, 7, (5, 7)), (0, 12, (5, 0)), (23, 12, (4, 23))]
    )
    def test_comes_at_the_hour_that_is_set(self, hour: int, now: int, expected: tuple[int, int]) -> None:
        with override_settings(AI_DIGEST_HOUR=hour):
            found = choices.next_digest(NOW.replace(hour=now))

        assert (found.day, found.hour) == expected

    def test_tells_what_comments_say_now_and_nothing_of_deleted_ones(self, talk: Talk) -> None:
        wants(talk, "digest")
        edited, deleted = (
            writing.add(**talk.on, text=f"{secret}, @ben.b", by=talk.ana, at=NOW) for secret in ("Secret 1", "Secret 2")
        )
        writing.edit(comment_id=edited.pk, text="A surprise, @ben.b", by=talk.ana, at=NOW)
        settling.delete(comment_id=deleted.pk, by=talk.ana, at=NOW)

        assert send(talk, datetime(2026, 5, 5, 7, 0, tzinfo=UTC)) == 1

        assert "A surprise" in mail.outbox[0].body
        assert "Secret" not in mail.outbox[0].body
        assert sorted(states()) == ["dropped", "sent"]


class TestFailures:
    def test_a_server_that_is_down_is_tried_again_later_and_given_up_in_the_end(self, talk: Talk) -> None:
        wants(talk, "once")
        mention(talk)
        at, waits = NOW, []

        with through(f"{__name__}.DownBackend"):
            for _ in range(mailing.MOST_TRIES):
                assert send(talk, at) == 0
                row = Notification.objects.get()
                waits.append((row.email_after or at) - at)
                at = row.email_after or at

        assert waits[:4] == [MINUTE, 3 * MINUTE, 9 * MINUTE, 27 * MINUTE]
        assert states() == ["failed"]

    def test_what_a_dead_worker_held_is_sent_by_another(self, talk: Talk) -> None:
        wants(talk, "once")
        mention(talk)
        Notification.objects.claim(str(talk.ben.pk), worker="dead", at=NOW)

        assert send(talk, NOW + MINUTE) == 0
        assert send(talk, NOW + 3 * MINUTE) == 1

    def test_what_takes_longer_than_the_lease_is_sent_once(self, talk: Talk) -> None:
        wants(talk, "once")
        for number in range(5):
            mention(talk, f"Look {number}, @ben.b")
        long = timedelta(seconds=50)

        def meanwhile(sent: int) -> None:
            if sent == 3:
                # Another thread of the same worker.
                assert mailing.send(user_id=str(talk.ben.pk), worker="w1", now=lambda: NOW + 3 * long) == 2

        mailing.send(user_id=str(talk.ben.pk), worker="w1", now=clock(NOW, each=long, meanwhile=meanwhile))

        keys: Any = [each.extra_headers["Message-ID"] for each in mail.outbox]
        assert (len(keys), len(set(keys)), set(states())) == (5, 5, {"sent"})

    def test_what_is_changed_while_others_are_being_sent_goes_as_it_is_then(self, talk: Talk) -> None:
        wants(talk, "once")
        _, edited, deleted, last = (
            writing.add(**talk.on, text=f"Secret {number}, @ben.b", by=talk.ana, at=NOW + number * MINUTE)
            for number in range(4)
        )
        at = NOW + 4 * MINUTE

        def meanwhile(sent: int) -> None:
            if sent == 1:
                writing.edit(comment_id=edited.pk, text="A surprise, @ben.b", by=talk.ana, at=at)
                settling.delete(comment_id=deleted.pk, by=talk.ana, at=at)
            if sent == 2:
                TenantMembership.objects.filter(user=talk.ben).delete()

        sent = mailing.send(user_id=str(talk.ben.pk), worker="w1", now=clock(at, meanwhile=meanwhile))

        bodies = [str(each.body) for each in mail.outbox]
        assert (sent, len(bodies), states()) == (2, 2, ["sent", "sent", "dropped", "dropped"])
        assert "A surprise" in bodies[1]
        assert last.text not in "".join(bodies)

    def test_the_sweep_wakes_one_worker_now_and_then(self, talk: Talk) -> None:
        wants(talk, "once")
        mention(talk)
        seconds = (3, 30, 31, 34, 61, 62)

        found = [mailing.sweep(at=NOW + timedelta(seconds=second)) for second in seconds]

        assert found == [0, 0, 1, 0, 0, 1]

    def test_the_sweep_finds_what_is_due(self, talk: Talk, sent_tasks: list[Any]) -> None:
        wants(talk, "digest")
        mention(talk)

        assert mailing.sweep(at=NOW) == 0
        assert mailing.sweep(at=NOW + timedelta(days=1)) == 1


class TestWhoGetsNone:
    def test_who_has_left_the_tenant_or_the_console(self, talk: Talk) -> None:
        wants(talk, "once")
        mention(talk)
        TenantMembership.objects.filter(user=talk.ben).delete()
        assert send(talk) == 0

        assert (states(), mail.outbox) == (["dropped"], [])

    @pytest.mark.parametrize(
        ("kind", "about", "needed"),
        [
            ("mention", "", "view_chatthread"),
            ("mention", "feedback", "view_feedback"),
            ("reply", "", "view_chatthread"),
            ("assigned", "", "change_feedback"),
            ("snooze", "", "change_feedback"),
            ("review", "", "review_reviewqueue"),
            ("webhook", "", "change_webhook"),
        ],
    )
    def test_who_may_not_see_it_any_more(self, talk: Talk, kind: str, about: str, needed: str) -> None:
        wants(talk, "once")
        permission = Permission.objects.get(codename=needed, content_type__app_label="ai")
        target = feedback.give(message_id=talk.answer.pk, rating="down", by=SYSTEM, at=NOW) if about else None

        def told(number: int) -> int:
            notifications.tell(
                kind, to=[talk.ben], key=f"{number}", title="Look", by=SYSTEM, at=NOW, tenant_id=talk.tenant.pk, target=target
            )  # fmt: skip
            return send(talk)

        talk.ben.user_permissions.add(permission)
        assert told(1) == 1
        talk.ben.user_permissions.remove(permission)
        assert told(2) == 0

        assert states() == ["sent", "dropped"]

    def test_what_a_job_of_ones_own_did_is_told_whatever_one_may(self, talk: Talk) -> None:
        wants(talk, "once")
        talk.ben.user_permissions.clear()
        notifications.tell("job", to=[talk.ben], key="1", title="Done", by=SYSTEM, at=NOW, tenant_id=talk.tenant.pk)

        assert send(talk) == 1

    @pytest.mark.parametrize("email", ["", "no address", "a@b\nBcc: c@example.com"])
    def test_who_has_no_address(self, talk: Talk, email: str) -> None:
        wants(talk, "once")
        mention(talk)
        talk.ben.email = email
        talk.ben.save()

        assert send(talk) == 0
        assert states() == ["dropped"]

    @pytest.mark.parametrize(
        "without", [override_settings(AI_CONSOLE_URL=""), through("django.core.mail.backends.dummy.EmailBackend")]
    )
    def test_anybody_where_the_installation_sends_none(self, talk: Talk, without: Any) -> None:
        wants(talk, "once")

        with without:
            assert not choices.can_mail()
            mention(talk)

        assert states() == ["none"]
