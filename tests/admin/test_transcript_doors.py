"""The doors beside the transcript: editing, feedback, raw JSON; who may pass, and for which tenant."""

from __future__ import annotations

import pytest
from django.test import Client

from ai.models import AuditEntry, ChatThread, Feedback, Message, Run, Tenant
from tests.admin.conversations import EVERYTHING, NOW, answered, operator, same_rows
from tests.admin.test_transcript import last_message, page_of, url_of
from tests.factories import staff, talk, thread

pytestmark = pytest.mark.django_db


class TestDoors:
    def test_edit_gives_a_title_and_tags(self, tenant: Tenant) -> None:
        made = answered(tenant, name="Old")

        response = operator(tenant, *EVERYTHING).post(
            url_of(made, "edit"), {"name": " New  title ", "tags": "a, b ,a,"}
        )

        made.refresh_from_db()
        assert response.status_code == 302
        assert (made.name, made.tags) == ("New title", ["a", "b"])
        assert {entry.action for entry in AuditEntry.objects.all()} == {"thread.renamed", "thread.tagged"}
        assert ChatThread.objects.tagged("b").get() == made

    def test_edit_needs_a_title(self, tenant: Tenant) -> None:
        made = answered(tenant, name="Old")

        with same_rows(tenant):
            response = operator(tenant, *EVERYTHING).post(url_of(made, "edit"), {"name": " "}, follow=True)

        assert "A thread needs a title." in response.content.decode()

    def test_feedback_keeps_a_thumb_and_a_comment(self, tenant: Tenant) -> None:
        made = answered(tenant)
        message = last_message(made)
        client = operator(tenant, *EVERYTHING)

        given = {"message": str(message.pk), "rating": "down", "comment": "Wrong city"}
        response = client.post(url_of(made, "feedback"), given)

        row = Feedback.objects.get()
        assert (row.message_id, row.rating, row.comment) == (message.pk, "down", "Wrong city")
        assert response.headers["Location"] == f"{url_of(made)}?message={message.pk}#m-{message.pk}"
        assert "Wrong city" in client.get(response.headers["Location"]).content.decode()

    def test_feedback_is_about_a_message_of_this_thread(self, tenant: Tenant) -> None:
        made, elsewhere = answered(tenant), last_message(answered(tenant))

        given = {"message": str(elsewhere.pk), "rating": "up"}
        response = operator(tenant, *EVERYTHING).post(url_of(made, "feedback"), given)

        assert response.status_code == 404
        assert not Feedback.objects.exists()

    def test_raw_shows_what_is_stored(self, tenant: Tenant) -> None:
        made = thread(tenant, {"role": "user", "content": "a <b>"}, data={"plan": "gold"})

        html = operator(tenant, "view_chatthread").get(url_of(made, "raw")).content.decode()

        assert "gold" in html
        assert "a &lt;b&gt;" in html

    @pytest.mark.parametrize("door", ["change", "raw", "replay", "edit", "feedback", "delete"])
    def test_getting_a_page_changes_nothing(self, tenant: Tenant, door: str) -> None:
        made = answered(tenant)

        with same_rows(tenant):
            response = operator(tenant, *EVERYTHING).get(url_of(made, door))

        assert response.status_code in (200, 302, 404)

    @pytest.mark.parametrize("door", ["edit", "feedback", "replay"])
    def test_forms_need_the_csrf_token(self, tenant: Tenant, door: str) -> None:
        made = answered(tenant)
        client = Client(enforce_csrf_checks=True)
        client.force_login(staff(*EVERYTHING, tenants=(tenant,)))

        assert client.post(url_of(made, door), {"name": "x"}).status_code == 403

    def test_the_page_itself_takes_no_form(self, tenant: Tenant) -> None:
        assert operator(tenant, *EVERYTHING).post(url_of(answered(tenant)), {"name": "x"}).status_code == 403


class TestPermissions:
    @pytest.mark.parametrize("door", ["change", "raw", "replay"])
    def test_staff_without_permissions_see_nothing(self, tenant: Tenant, door: str) -> None:
        assert operator(tenant).get(url_of(answered(tenant), door)).status_code == 403

    @pytest.mark.parametrize(
        ("permission", "words"),
        [
            ("change_chatthread", "c-edit"),
            ("delete_chatthread", "Delete…"),
            ("retitle_chatthread", "Retitle…"),
            ("replay_run", "Replay on…"),
            ("add_feedback", "Give feedback"),
        ],
    )
    def test_buttons_are_shown_to_those_who_may_press_them(self, tenant: Tenant, permission: str, words: str) -> None:
        made = answered(tenant)

        assert words in page_of(operator(tenant, *EVERYTHING), made)
        assert words not in page_of(operator(tenant, *(held for held in EVERYTHING if held != permission)), made)

    @pytest.mark.parametrize(("door", "permission"), [("edit", "change_chatthread"), ("feedback", "add_feedback")])
    def test_forms_check_again(self, tenant: Tenant, door: str, permission: str) -> None:
        made = answered(tenant)
        without = operator(tenant, *(held for held in EVERYTHING if held != permission))
        given = {"name": "New", "message": str(last_message(made).pk), "rating": "up"}

        with same_rows(tenant):
            assert without.post(url_of(made, door), given).status_code == 403


class TestTenants:
    @pytest.mark.parametrize("door", ["change", "raw", "replay", "history"])
    def test_another_tenants_thread_does_not_exist(self, tenant: Tenant, door: str) -> None:
        theirs = answered(Tenant.objects.create(name="Kestrel"))

        assert operator(tenant, *EVERYTHING).get(url_of(theirs, door)).status_code == 404

    @pytest.mark.parametrize("door", ["edit", "feedback", "replay"])
    def test_nor_can_it_be_changed(self, tenant: Tenant, door: str) -> None:
        other = Tenant.objects.create(name="Kestrel")
        theirs = answered(other)
        given = {"name": "New", "message": str(last_message(theirs).pk), "rating": "up", "models": "local:smollm2"}

        with same_rows(other):
            assert operator(tenant, *EVERYTHING).post(url_of(theirs, door), given).status_code == 404

    def test_neighbours_are_of_the_same_scope(self, tenant: Tenant) -> None:
        ours = answered(tenant)
        theirs = answered(Tenant.objects.create(name="Kestrel"))

        assert str(theirs.pk) not in page_of(operator(tenant, *EVERYTHING), ours)


class TestWhatMayNotBeSeen:
    def test_runs_and_opinions_need_their_own_permissions(self, tenant: Tenant) -> None:
        row = thread(tenant, *talk(1))
        answer = last_message(row)
        answer.add_feedback({"rating": "down", "comment": "Wrong parcel"}, "ana")
        run = Run(tenant_id=tenant.pk, thread_id=str(row.pk), model="m", status="completed", ended_at=NOW)
        Run.objects.insert([run])
        Message.objects.filter(pk=answer.pk).update(run_id=str(run.pk))

        reader = page_of(operator(tenant, "view_chatthread"), row)
        reviewer = page_of(operator(tenant, "view_chatthread", "view_feedback", "view_run"), row)

        assert "Wrong parcel" not in reader
        assert str(run.pk) not in reader
        assert "Wrong parcel" in reviewer
        assert str(run.pk) in reviewer
