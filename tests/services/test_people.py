"""Feedback, files, tenants and assistants: permission, effect, audit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ai import ids, tenancy
from ai.exceptions import Conflict, Forbidden, InvalidInput, NotFound, OutsideTenant
from ai.models import Assistant, AuditEntry, ChatThread, DataSource, Message, Tenant, TenantMembership
from ai.services import actors, assistants, feedback, files, tenants
from tests import factories

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
BY: dict[str, Any] = {"by": actors.SYSTEM, "at": NOW}


def actions() -> list[str]:
    with tenancy.everything(reason="test"):
        return sorted(AuditEntry.objects.values_list("action", flat=True))


@pytest.fixture
def message(tenant: Tenant) -> Message:
    thread = factories.thread(tenant, *factories.talk(1))
    found: Message = Message.objects.list_thread_messages(thread.pk)[1]
    return found


class TestFeedback:
    def test_is_given_once_a_person_and_remembers_the_first(self, message: Message) -> None:
        feedback.give(message_id=message.pk, rating="up", **BY)
        row = feedback.give(message_id=message.pk, rating="down", comment=" wrong ", **BY)

        assert (row.rating, row.comment, row.user_id, len(row.history)) == ("down", "wrong", "system", 1)
        assert ChatThread.objects.get().feedback == "down"
        assert actions() == ["feedback.given", "feedback.given"]

    @pytest.mark.parametrize("values", [{}, {"comment": "  "}, {"rating": "sideways"}])
    def test_says_something(self, message: Message, values: dict[str, Any]) -> None:
        with pytest.raises(InvalidInput):
            feedback.give(message_id=message.pk, **values, **BY)

    def test_moves_through_triage(self, message: Message) -> None:
        row = feedback.give(message_id=message.pk, rating="down", **BY)

        moved = feedback.set_state(feedback_id=row.pk, state="triaged", **BY)
        same = feedback.set_state(feedback_id=row.pk, state="triaged", **BY)

        assert (moved.state, len(same.history)) == ("triaged", 1)
        assert actions().count("feedback.moved") == 1
        with pytest.raises(NotFound):
            feedback.set_state(feedback_id=ids.new(), state="open", **BY)
        with pytest.raises(NotFound):
            feedback.set_states(feedback_ids=[ids.new()], state="open", **BY)

    def test_needs_permissions(self, message: Message) -> None:
        row = feedback.give(message_id=message.pk, rating="down", **BY)
        nobody = factories.user()

        with pytest.raises(Forbidden):
            feedback.give(message_id=message.pk, rating="up", by=nobody, at=NOW)
        with pytest.raises(Forbidden):
            feedback.set_state(feedback_id=row.pk, state="open", by=nobody, at=NOW)


class TestFiles:
    def test_are_added_read_and_deleted(self, tenant: Tenant) -> None:
        row = files.add(file=b"hello", name="a.txt", **BY)
        found, content = files.open_content(file_id=row.file_id, by=actors.SYSTEM, at=NOW)
        with content:
            assert (found.pk, content.read()) == (row.pk, b"hello")
        assert files.beginning(row=row, most=2) == b"he"

        files.delete(file_id=row.file_id, **BY)

        assert not DataSource.objects.exists()
        assert actions() == ["file.added", "file.deleted"]

    def test_are_nobodys_without_permission_nor_from_elsewhere(self, tenant: Tenant) -> None:
        row = files.add(file=b"hello", name="a.txt", **BY)

        with pytest.raises(Forbidden):
            files.open_content(file_id=row.file_id, by=factories.user(), at=NOW)
        with pytest.raises(OutsideTenant):
            files.add(file=b"x", name="a.txt", tenant_id=factories.tenant().pk, **BY)
        with tenancy.scope(factories.tenant().pk), pytest.raises(NotFound):
            files.open_content(file_id=row.file_id, by=actors.SYSTEM, at=NOW)

    def test_have_no_preview_when_they_are_gone(self, tenant: Tenant) -> None:
        row = files.add(file=b"hello", name="a.txt", **BY)
        row.file.storage.delete(row.file.name or "")

        assert files.beginning(row=row) == b""
        with pytest.raises(NotFound):
            files.open_content(file_id=row.file_id, by=actors.SYSTEM, at=NOW)


class TestTenants:
    def test_get_members_and_lose_them(self) -> None:
        made, user = tenants.add(name="  Acme   Ltd ", **BY), factories.user()

        tenants.add_member(tenant_id=made.pk, user=user, **BY)
        tenants.add_member(tenant_id=made.pk, user=user, **BY)
        assert TenantMembership.objects.tenant_ids(user) == {made.pk}
        tenants.remove_member(tenant_id=made.pk, user=user, **BY)

        assert made.name == "Acme Ltd"
        assert TenantMembership.objects.tenant_ids(user) == frozenset()
        assert actions() == ["tenant.added", "tenant.member_added", "tenant.member_removed"]

    def test_refuse(self) -> None:
        tenants.add(name="Acme", **BY)

        with pytest.raises(Conflict):
            tenants.add(name="Acme", **BY)
        with pytest.raises(InvalidInput):
            tenants.add(name=" ", **BY)
        with pytest.raises(NotFound):
            tenants.add_member(tenant_id=ids.new(), user=factories.user(), **BY)
        with pytest.raises(NotFound):
            tenants.remove_member(tenant_id=ids.new(), user=factories.user(), **BY)
        with pytest.raises(Forbidden):
            tenants.add(name="Other", by=factories.user(), at=NOW)


class TestAssistants:
    def test_are_saved_and_deleted_in_their_tenant(self, tenant: Tenant) -> None:
        row = assistants.save(assistant=Assistant(name="Helper", model="m"), **BY)
        row.name = "Better helper"
        assistants.save(assistant=row, **BY)

        assert Assistant.objects.get().tenant_id == tenant.pk
        with tenancy.scope(factories.tenant().pk), pytest.raises(NotFound):
            assistants.save(assistant=row, **BY)
        with tenancy.scope(factories.tenant().pk), pytest.raises(NotFound):
            assistants.delete(assistant=row, **BY)
        assistants.delete(assistant=row, **BY)
        assert actions() == ["assistant.added", "assistant.changed", "assistant.deleted"]

    def test_need_permissions(self, tenant: Tenant) -> None:
        with pytest.raises(Forbidden):
            assistants.save(assistant=Assistant(name="x", model="m"), by=factories.user(), at=NOW)
