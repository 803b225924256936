"""Who is told of what, and what they never are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ai import tenancy
from ai.exceptions import InvalidInput, NotFound
from ai.models import AuditEntry, Comment, CommentEvent, Ending, Feedback, Job, Message, Notification, TenantMembership
from ai.models.jobs import JobStatus
from ai.services import notifications
from ai.services.actors import SYSTEM
from ai.services.comments import settling, writing
from ai.services.notifications import choices, endings, places, reading
from ai.services.notifications.choices import Choice
from ai.services.triage import changes, steps
from tests.services.talk.conftest import NOW, Talk

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def told(user: Any) -> list[tuple[str, str]]:
    return [(row.kind, row.title) for row in reading.listing(user).rows]


def texts(row: Comment) -> list[str]:
    return list(Notification.objects.filter(target_id=str(row.pk)).values_list("text", flat=True))


def given(talk: Talk) -> Feedback:
    answer = Message.objects.get_message(talk.answer.pk)
    return Feedback.objects.give(message=answer, feedback={"rating": "down", "comment": "Late"}, user_id="cora", at=NOW)


class TestComments:
    def test_tell_whom_they_mention(self, talk: Talk) -> None:
        writing.add(**talk.on, text="Look, @ben.b and @ana and @zoe", by=talk.ana, at=NOW)

        assert told(talk.ben) == [("mention", "ana mentions you in a comment")]
        assert told(talk.ana) == told(talk.zoe) == told(talk.lea) == []
        path = places.path_of(Notification.objects.get())
        assert path.startswith(f"/admin/ai/chatthread/{talk.thread.pk}/change/?message={talk.answer.pk}")
        assert path.endswith(f"#m-{talk.answer.pk}")

    def test_tell_once_however_often_they_are_edited(self, talk: Talk) -> None:
        row = writing.add(**talk.on, text="Look, @ben.b", by=talk.ana, at=NOW)
        writing.edit(comment_id=row.pk, text="Look here, @ben.b and @lea", by=talk.ana, at=NOW)

        assert told(talk.ben) == told(talk.lea) == [("mention", "ana mentions you in a comment")]

    def test_tell_who_said_something_before_of_replies(self, talk: Talk) -> None:
        row = writing.add(**talk.on, text="Is it?", by=talk.ana, at=NOW)
        writing.reply(comment_id=row.pk, text="It is.", by=talk.ben, at=NOW)
        writing.reply(comment_id=row.pk, text="No, @ana", by=talk.lea, at=NOW + HOUR)

        assert told(talk.ana) == [
            ("mention", "lea mentions you in a comment"), ("reply", "ben.b replies to a comment of yours"),
        ]  # fmt: skip
        assert told(talk.ben) == [("reply", "lea replies to a comment of yours")]

    def test_tell_accounts_not_names(self, talk: Talk) -> None:
        row = writing.add(**talk.on, text="Is it?", by=talk.ana, at=NOW)
        writing.reply(comment_id=row.pk, text="The system says so.", by=SYSTEM, at=NOW)
        talk.ana.username, talk.vic.username = "ana.married", "ana"
        talk.ana.save()
        talk.vic.save()

        writing.reply(comment_id=row.pk, text="It is.", by=talk.ben, at=NOW)

        assert "ben.b replies to a comment of yours" in [title for _, title in told(talk.ana)]
        assert told(talk.vic) == []

    def test_tell_of_a_reply_who_wants_no_mentions(self, talk: Talk) -> None:
        choices.choose({"mention": Choice(in_console=False)}, by=talk.ana, at=NOW)
        row = writing.add(**talk.on, text="Is it?", by=talk.ana, at=NOW)

        writing.reply(comment_id=row.pk, text="It is, @ana", by=talk.ben, at=NOW)

        assert told(talk.ana) == [("reply", "ben.b replies to a comment of yours")]
        assert not AuditEntry.objects.filter(action="comment.mentioned").exists()

    def test_note_only_those_who_were_told_anew(self, talk: Talk) -> None:
        row = writing.add(**talk.on, text="Look, @ben.b", by=talk.ana, at=NOW)
        writing.edit(comment_id=row.pk, text="Look, @ben.b and @lea", by=talk.ana, at=NOW + HOUR)

        noted = AuditEntry.objects.filter(action="comment.mentioned").order_by("at", "pk")

        assert [entry.data["people"] for entry in noted] == [["ben.b"], ["lea"]]

    def test_tell_nothing_to_whom_they_are_closed(self, talk: Talk) -> None:
        row = writing.add(**talk.on, text="Is it?", by=talk.ana, at=NOW)
        talk.ana.user_permissions.set(Permission.objects.filter(codename="view_chatthread"))

        writing.reply(comment_id=row.pk, text="A secret, @ana", by=talk.ben, at=NOW)

        assert told(talk.ana) == []

    def test_say_no_more_than_the_comment_does(self, talk: Talk) -> None:
        row = writing.add(**talk.on, text="A secret, @ben.b", by=talk.ana, at=NOW)
        other = writing.add(**talk.on, text="Another, @ben.b", by=talk.ana, at=NOW)

        writing.edit(comment_id=row.pk, text="A surprise, @ben.b", by=talk.ana, at=NOW)
        assert texts(row) == ["A surprise, @ben.b"]
        settling.delete(comment_id=row.pk, by=talk.ana, at=NOW)
        assert texts(row) == [""]
        deleted = CommentEvent.objects.get(verb="deleted")
        settling.undo(event_id=deleted.pk, by=talk.ana, at=NOW)

        assert texts(row) == ["A surprise, @ben.b"]
        assert texts(other) == ["Another, @ben.b"]

    def test_tell_nobody_who_works_there_no_more(self, talk: Talk) -> None:
        row = writing.add(**talk.on, text="Is it?", by=talk.ana, at=NOW)
        TenantMembership.objects.filter(user=talk.ana).delete()
        writing.reply(comment_id=row.pk, text="It is, @ana", by=talk.ben, at=NOW)

        assert not Notification.objects.exists()


class TestFeedback:
    def test_tells_whom_it_is_assigned_to(self, talk: Talk) -> None:
        row = given(talk)

        steps.assign(feedback_ids=[row.pk], to="ben.b", by=talk.ana, at=NOW)
        steps.assign(feedback_ids=[row.pk], to="ben.b", by=talk.ana, at=NOW)
        steps.assign(feedback_ids=[row.pk], to="ana", by=talk.ana, at=NOW)

        assert told(talk.ben) == [("assigned", "ana assigns feedback to you")]
        assert told(talk.ana) == []

    def test_notes_tell_whom_they_mention(self, talk: Talk) -> None:
        changes.note(feedback_ids=[given(talk).pk], text="What do you think, @ben.b?", by=talk.ana, at=NOW)

        assert told(talk.ben) == [("mention", "ana mentions you in a note")]
        assert "/feedback/inbox/?state=all&item=" in places.path_of(Notification.objects.get())

    def test_that_was_snoozed_comes_back_to_who_snoozed_it(self, talk: Talk) -> None:
        row = given(talk)
        steps.snooze(feedback_ids=[row.pk], until=NOW + HOUR, by=talk.ana, at=NOW)

        assert steps.wake(at=NOW + HOUR) == 1

        assert told(talk.ana) == [("snooze", "Feedback is back")]


class TestJobs:
    @pytest.mark.parametrize(
        ("status", "words"), [(JobStatus.COMPLETED, "has ended"), (JobStatus.FAILED, "has failed")]
    )
    def test_tell_who_asked_for_them(self, talk: Talk, status: str, words: str) -> None:
        job = Job(kind="export", title="Threads", tenant_id=talk.tenant.pk, requested_by="ana", total=3, done=3)
        job.save(force_insert=True)

        Job.objects.end(job.pk, status=status, at=NOW)
        assert endings.sweep(at=NOW) == 1
        assert endings.sweep(at=NOW) == 0

        assert told(talk.ana) == [("job", f"Threads {words}")]
        assert not Ending.objects.exists()

    def test_that_somebody_cancelled_tell_nobody(self, talk: Talk) -> None:
        job = Job(kind="export", title="Threads", tenant_id=talk.tenant.pk, requested_by="ana")
        job.save(force_insert=True)

        Job.objects.cancel(job.pk, at=NOW)

        assert endings.sweep(at=NOW) == 0
        assert told(talk.ana) == []


class TestTell:
    def tell(self, talk: Talk, key: str = "review:1", **more: Any) -> int:
        new = notifications.tell(
            "review",
            to=[talk.ana],
            key=key,
            title="Three reviews wait",
            by=SYSTEM,
            at=NOW,
            tenant_id=talk.tenant.pk,
            **more,
        )
        return len(new)

    def test_tells_of_an_event_once(self, talk: Talk) -> None:
        assert (self.tell(talk), self.tell(talk), self.tell(talk, "review:2")) == (1, 0, 1)

    def test_puts_everything_on_one_line(self, talk: Talk) -> None:
        self.tell(talk, text="first\r\nBcc: everybody@example.com")

        assert Notification.objects.get().text == "first Bcc: everybody@example.com"

    def test_tells_nothing_that_somebody_does_not_want(self, talk: Talk) -> None:
        choices.choose({"review": Choice(in_console=False, email="never")}, by=talk.ana, at=NOW)

        assert self.tell(talk) == 0
        assert not Notification.objects.exists()

    def test_refuses_a_kind_that_there_is_not(self, talk: Talk) -> None:
        with pytest.raises(InvalidInput):
            choices.choose({"gossip": Choice()}, by=talk.ana, at=NOW)


class TestReading:
    def test_counts_up_to_a_hundred_in_one_query(self, talk: Talk) -> None:
        Notification.objects.bulk_create(
            Notification(tenant_id=talk.tenant.pk, user_id=str(talk.ana.pk), kind="job", key=str(n), at=NOW, title="x")
            for n in range(130)
        )

        with CaptureQueriesContext(connection) as seen:
            count = reading.unread(talk.ana)

        assert (count, len(seen)) == (100, 1)
        assert "COUNT(" not in seen.captured_queries[0]["sql"]
        first, third = reading.listing(talk.ana), reading.listing(talk.ana, number=3)
        assert (len(first.rows), first.has_next, len(third.rows), third.has_next) == (50, True, 30, False)

    def test_each_person_has_their_own_and_unread_ones_come_first(self, talk: Talk) -> None:
        for number, user in enumerate((talk.ana, talk.ana, talk.ben)):
            at = NOW + number * HOUR
            notifications.tell(
                "job", to=[user], key=f"{number}", title=f"Job {number}", by=SYSTEM, at=at, tenant_id=talk.tenant.pk
            )
        newest = reading.listing(talk.ana).rows[0]

        assert reading.mark_read([newest.pk], by=talk.ben, at=NOW) == 0
        assert reading.mark_read([newest.pk], by=talk.ana, at=NOW) == 1

        assert [title for _, title in told(talk.ana)] == ["Job 0", "Job 1"]
        assert (reading.unread(talk.ana), reading.unread(talk.ben)) == (1, 1)
        with pytest.raises(NotFound):
            reading.one(newest.pk, user=talk.ben)
        assert reading.mark_read(None, by=talk.ana, at=NOW) == 1

    def test_of_a_tenant_that_somebody_left_nothing_is_shown(self, talk: Talk) -> None:
        writing.add(**talk.on, text="Look, @ben.b", by=talk.ana, at=NOW)

        with tenancy.scope():
            assert (told(talk.ben), reading.unread(talk.ben)) == ([], 0)
