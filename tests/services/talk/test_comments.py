"""Comments: who may say what, where it is in a message, and what becomes of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, transaction

from ai import tenancy
from ai.exceptions import Conflict, Forbidden, InvalidInput, NotFound
from ai.models import AuditEntry, Comment, CommentEvent, Message, Notification
from ai.services import messages, threads
from ai.services.actors import SYSTEM
from ai.services.comments import mentions, places, reading, settling, writing
from tests.services.talk.conftest import NOW, Talk

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def add(talk: Talk, text: str = "Is this so?", *, by: Any = None, **more: Any) -> Comment:
    return writing.add(**talk.on, text=text, by=by or talk.ana, at=NOW, **more)


def now_of(row: Comment) -> Comment:
    found: Comment = Comment.objects.get(pk=row.pk)
    return found


def panel(talk: Talk, by: Any) -> list[reading.Shown]:
    return reading.panel(Message.objects.get_message(talk.answer.pk), by=by, at=NOW + HOUR)


class TestAdd:
    def test_keeps_what_was_said_and_notes_it(self, talk: Talk) -> None:
        row = now_of(add(talk, "  Is this so?  "))

        assert (row.text, row.author, row.quote, row.start) == ("Is this so?", "ana", "", None)
        entry = AuditEntry.objects.get(action="comment.added", target_id=str(row.pk))
        assert entry.data == {"message": str(talk.answer.pk), "thread": str(talk.thread.pk)}

    @pytest.mark.parametrize("text", ["", "  \n ", "x" * 5001])
    def test_refuses_nothing_and_too_much(self, talk: Talk, text: str) -> None:
        with pytest.raises(InvalidInput):
            add(talk, text)

        assert not Comment.objects.exists()

    def test_is_not_for_those_who_only_read(self, talk: Talk) -> None:
        with pytest.raises(Forbidden):
            add(talk, by=talk.vic)

    def test_does_not_know_messages_of_other_threads_or_tenants(self, talk: Talk) -> None:
        with pytest.raises(NotFound):
            writing.add(thread_id=talk.answer.pk, message_id=talk.answer.pk, text="x", by=talk.ana, at=NOW)
        with tenancy.scope(talk.answer.pk), pytest.raises(NotFound):
            writing.add(**talk.on, text="x", by=talk.zoe, at=NOW)

    def test_five_hundred_are_enough_on_one_message(self, talk: Talk) -> None:
        before = {"tenant_id": talk.tenant.pk, **talk.on, "author": "ana", "at": NOW, "text": "x"}
        Comment.objects.bulk_create([Comment(**before) for _ in range(writing.MOST_ON_ONE - 1)])

        add(talk)
        with pytest.raises(InvalidInput, match="at most 500"):
            add(talk)

        assert Comment.objects.count() == writing.MOST_ON_ONE

    def test_lines_end_as_they_were_typed_however_a_form_sends_them(self, talk: Talk) -> None:
        longest = "x\n" * 2499 + "xx"

        row = add(talk, longest.replace("\n", "\r\n"))

        assert now_of(row).text == longest


class TestPlaces:
    def test_the_plain_text_is_what_a_reader_sees(self, talk: Talk) -> None:
        text = places.text_of(talk.answer)

        assert text.strip() == (
            "Your parcel left Hamburg this morning. It will be in Lyon this evening, and in Hamburg no more."
        )

    def test_a_quote_across_markup_has_its_place(self, talk: Talk) -> None:
        row = add(talk, quote="left Hamburg this", start=12)

        assert places.text_of(talk.answer)[row.start : row.end] == "left Hamburg this"

    @pytest.mark.parametrize(("seen", "expected"), [(0, 17), (20, 17), (80, 79), (400, 79)])
    def test_of_two_places_the_nearer_one_is_meant(self, talk: Talk, seen: int, expected: int) -> None:
        row = add(talk, quote="Hamburg", start=seen)

        assert row.start == expected

    def test_words_that_are_not_there_are_refused(self, talk: Talk) -> None:
        with pytest.raises(InvalidInput, match="does not say"):
            add(talk, quote="left Berlin", start=0)

    def test_a_quote_across_lines_is_found_as_forms_send_it(self, talk: Talk) -> None:
        said = {"role": "assistant", "content": "It left **Hamburg**.\n\nIt is in Lyon."}
        Message.objects.filter(pk=talk.answer.pk).update(message=said)

        row = add(talk, quote="Hamburg.\r\nIt is", start=8)

        assert row.quote == "Hamburg.\nIt is"

    def test_letters_beyond_the_first_plane_count_as_one(self) -> None:
        found = places.find("🐫🐫 tea", "tea", near=3)

        assert found == (3, 6, "tea")

    def test_code_keeps_its_lines(self) -> None:
        text = places.plain_text("Look:\n\n```\na < b\nc\n```\n")

        assert "a < b\nc" in text

    def test_says_when_the_message_was_changed(self, talk: Talk) -> None:
        add(talk, quote="left Hamburg", start=12)
        assert [each.is_changed for each in panel(talk, talk.ana)] == [False]

        changed = {"role": "assistant", "content": "It left Berlin."}
        Message.objects.filter(pk=talk.answer.pk).update(message=changed)

        assert [(each.is_changed, each.row.quote) for each in panel(talk, talk.ana)] == [(True, "left Hamburg")]

    def test_the_database_wants_a_place_with_a_quote(self, talk: Talk) -> None:
        row = add(talk)

        with pytest.raises(IntegrityError, match="ai_comment_quote_has_a_place"), transaction.atomic():
            Comment.objects.filter(pk=row.pk).update(quote="left")


class TestReplies:
    def test_a_reply_to_a_reply_answers_the_comment(self, talk: Talk) -> None:
        first = add(talk)
        second = writing.reply(comment_id=first.pk, text="It is.", by=talk.ben, at=NOW)
        third = writing.reply(comment_id=second.pk, text="Thanks.", by=talk.ana, at=NOW)

        assert (second.parent_id, third.parent_id) == (first.pk, first.pk)
        assert [[reply.row.text for reply in each.replies] for each in panel(talk, talk.ana)] == [["It is.", "Thanks."]]

    def test_nothing_is_left_to_reply_to_after_a_deletion(self, talk: Talk) -> None:
        first = add(talk)
        settling.delete(comment_id=first.pk, by=talk.ana, at=NOW)

        with pytest.raises(Conflict):
            writing.reply(comment_id=first.pk, text="It is.", by=talk.ben, at=NOW)

    def test_what_was_resolved_meanwhile_takes_no_reply(self, talk: Talk) -> None:
        first = add(talk)
        second = writing.reply(comment_id=first.pk, text="It is.", by=talk.ben, at=NOW)
        settling.resolve(comment_id=first.pk, by=talk.lea, at=NOW)

        for about in (first, second):
            with pytest.raises(Conflict, match="lea resolved"):
                writing.reply(comment_id=about.pk, text="No.", by=talk.ben, at=NOW)

        assert Comment.objects.count() == 2


class TestEdit:
    def test_says_it_in_other_words(self, talk: Talk) -> None:
        row = add(talk)

        writing.edit(comment_id=row.pk, text="Is it?", by=talk.ana, at=NOW + HOUR, seen=0)

        assert (now_of(row).text, now_of(row).edited_at, now_of(row).version) == ("Is it?", NOW + HOUR, 1)

    def test_is_for_who_wrote_it(self, talk: Talk) -> None:
        row = add(talk)

        with pytest.raises(Forbidden):
            writing.edit(comment_id=row.pk, text="No.", by=talk.lea, at=NOW)

    def test_of_an_older_version_is_a_conflict(self, talk: Talk) -> None:
        row = add(talk)
        writing.edit(comment_id=row.pk, text="Is it?", by=talk.ana, at=NOW, seen=0)

        with pytest.raises(Conflict):
            writing.edit(comment_id=row.pk, text="It is.", by=talk.ana, at=NOW, seen=0)

        assert now_of(row).text == "Is it?"


class TestDelete:
    def test_leaves_a_place_and_no_words(self, talk: Talk) -> None:
        row = add(talk, "A secret, @ben.b")
        writing.reply(comment_id=row.pk, text="What?", by=talk.ben, at=NOW)

        settling.delete(comment_id=row.pk, by=talk.ana, at=NOW)

        assert (now_of(row).text, now_of(row).mentions) == ("", [])
        assert [(each.row.deleted_at, len(each.replies)) for each in panel(talk, talk.ben)] == [(NOW, 1)]

    def test_of_others_is_for_moderators(self, talk: Talk) -> None:
        row = add(talk)
        with pytest.raises(Forbidden):
            settling.delete(comment_id=row.pk, by=talk.ben, at=NOW)

        settling.delete(comment_id=row.pk, by=talk.lea, at=NOW)

        assert now_of(row).deleted_at == NOW

    def test_is_for_good_after_thirty_days(self, talk: Talk) -> None:
        row = add(talk, "A secret")
        settling.delete(comment_id=row.pk, by=talk.ana, at=NOW)
        assert CommentEvent.objects.get().before["text"] == "A secret"

        settling.sweep(at=NOW + timedelta(days=30, seconds=1))

        assert not CommentEvent.objects.exists()

    def test_goes_with_the_message_and_with_the_thread(self, talk: Talk) -> None:
        add(talk, "Look, @ben.b")
        writing.add(thread_id=talk.thread.pk, message_id=talk.question.pk, text="And @ben.b", by=talk.ana, at=NOW)

        messages.delete(message=talk.answer, by=SYSTEM, at=NOW)
        assert (Comment.objects.count(), Notification.objects.count()) == (1, 1)
        threads.delete(thread_ids=[talk.thread.pk], by=SYSTEM, at=NOW)

        assert (Comment.objects.count(), Notification.objects.count()) == (0, 0)


class TestResolve:
    def test_and_open_again(self, talk: Talk) -> None:
        row = add(talk)

        settling.resolve(comment_id=row.pk, by=talk.ben, at=NOW)
        settling.resolve(comment_id=row.pk, by=talk.ben, at=NOW)
        assert (now_of(row).resolved_by, now_of(row).version) == ("ben.b", 1)
        settling.resolve(comment_id=row.pk, is_resolved=False, by=talk.ana, at=NOW)

        assert now_of(row).resolved_at is None
        assert set(AuditEntry.objects.filter(target_id=str(row.pk)).values_list("action", flat=True)) == {
            "comment.added", "comment.resolved", "comment.reopened",
        }  # fmt: skip

    def test_is_for_comments_not_for_replies(self, talk: Talk) -> None:
        reply = writing.reply(comment_id=add(talk).pk, text="Yes.", by=talk.ben, at=NOW)

        with pytest.raises(InvalidInput):
            settling.resolve(comment_id=reply.pk, by=talk.ben, at=NOW)


class TestUndo:
    @pytest.mark.parametrize("verb", ["edited", "deleted", "resolved"])
    def test_takes_a_change_back(self, talk: Talk, verb: str) -> None:
        row = add(talk, "Is this so, @ben.b?")
        changes = {
            "edited": lambda: writing.edit(comment_id=row.pk, text="No.", by=talk.ana, at=NOW),
            "deleted": lambda: settling.delete(comment_id=row.pk, by=talk.ana, at=NOW),
            "resolved": lambda: settling.resolve(comment_id=row.pk, by=talk.ana, at=NOW),
        }
        changes[verb]()
        event = CommentEvent.objects.get(verb=verb)

        settling.undo(event_id=event.pk, by=talk.ana, at=NOW + timedelta(days=29))

        kept = now_of(row)
        assert (kept.text, kept.mentions) == ("Is this so, @ben.b?", ["ben.b"])
        assert (kept.edited_at, kept.deleted_at, kept.resolved_at, kept.resolved_by) == (None, None, None, "")
        with pytest.raises(Conflict):
            settling.undo(event_id=event.pk, by=talk.ana, at=NOW)

    def test_says_who_changed_it_since(self, talk: Talk) -> None:
        row = add(talk)
        writing.edit(comment_id=row.pk, text="No.", by=talk.ana, at=NOW)
        event = CommentEvent.objects.get()
        settling.resolve(comment_id=row.pk, by=talk.ben, at=NOW)

        with pytest.raises(Conflict, match=r"ben\.b resolved it"):
            settling.undo(event_id=event.pk, by=talk.ana, at=NOW)

        assert now_of(row).text == "No."

    def test_what_was_taken_back_itself_is_not_in_the_way(self, talk: Talk) -> None:
        row = add(talk)
        writing.edit(comment_id=row.pk, text="Is it?", by=talk.ana, at=NOW)
        writing.edit(comment_id=row.pk, text="It is.", by=talk.ana, at=NOW + HOUR)
        settling.resolve(comment_id=row.pk, by=talk.ana, at=NOW + HOUR)
        seen = []

        while (change := panel(talk, talk.ana)[0].undo) is not None:
            settling.undo(event_id=change.pk, by=talk.ana, at=NOW + HOUR)
            seen.append((now_of(row).text, now_of(row).resolved_at))

        assert seen == [("It is.", None), ("Is it?", None), ("Is this so?", None)]

    def test_only_the_last_that_stands_can_be(self, talk: Talk) -> None:
        row = add(talk)
        writing.edit(comment_id=row.pk, text="Is it?", by=talk.ana, at=NOW)
        first = CommentEvent.objects.get()
        settling.resolve(comment_id=row.pk, by=talk.ben, at=NOW)
        settling.undo(event_id=CommentEvent.objects.get(verb="resolved").pk, by=talk.ben, at=NOW)
        writing.edit(comment_id=row.pk, text="It is.", by=talk.ana, at=NOW + HOUR)

        with pytest.raises(Conflict, match="ana edited it"):
            settling.undo(event_id=first.pk, by=talk.ana, at=NOW + HOUR)

        assert now_of(row).text == "It is."

    def test_is_over_after_thirty_days_and_not_for_others(self, talk: Talk) -> None:
        row = add(talk)
        settling.delete(comment_id=row.pk, by=talk.ana, at=NOW)
        event = CommentEvent.objects.get()

        with pytest.raises(Forbidden):
            settling.undo(event_id=event.pk, by=talk.ben, at=NOW)
        with pytest.raises(Conflict):
            settling.undo(event_id=event.pk, by=talk.ana, at=NOW + timedelta(days=30))


class TestMentions:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Look, @ana", ["ana"]),
            ("@ben.b. And @ana, too", ["ana", "ben.b"]),
            ("@ben.b's parcel", ["ben.b"]),
            ("mail ana@ana", []),
            ("@anabel", []),
            ("@zoe of another tenant", []),
            ("@ANA", []),
            ("nobody", []),
        ],
    )
    def test_are_people_of_the_tenant(self, talk: Talk, text: str, expected: list[str]) -> None:
        found = mentions.people_in(text, tenant_id=talk.tenant.pk)

        assert sorted(user.username for user in found) == expected

    def test_are_not_those_who_may_not_read_or_have_left(self, talk: Talk) -> None:
        talk.ana.user_permissions.clear()
        talk.vic.is_active = False
        talk.vic.save()

        assert mentions.people_in("@ana @vic", tenant_id=talk.tenant.pk) == []
        assert mentions.offered("", tenant_id=talk.tenant.pk) == [
            {"name": "ben.b", "label": ""}, {"name": "lea", "label": ""},
        ]  # fmt: skip

    def test_are_not_those_to_whom_comments_are_closed(self, talk: Talk) -> None:
        for user, *permissions in ((talk.vic, "view_chatthread"), (talk.lea, "view_chatthread", "comment_message")):
            user.user_permissions.set(Permission.objects.filter(codename__in=permissions))

        found = mentions.people_in("@ana @lea @vic", tenant_id=talk.tenant.pk)

        assert sorted(user.username for user in found) == ["ana", "lea"]
        assert [each["name"] for each in mentions.offered("", tenant_id=talk.tenant.pk)] == ["ana", "ben.b", "lea"]

    def test_are_marked_and_everything_else_is_escaped(self) -> None:
        html = mentions.html("<b>@ana</b> & @zoe @ben.b.", ["ana", "ben.b"])

        assert html == (
            '&lt;b&gt;<strong class="k-mention">@ana</strong>&lt;/b&gt; &amp; @zoe '
            '<strong class="k-mention">@ben.b</strong>.'
        )
