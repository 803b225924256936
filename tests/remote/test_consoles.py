"""One console in step with another, over the other's own API and real HTTP."""

from __future__ import annotations

import pytest
from django.utils import timezone

from ai import ids, tenancy
from ai.models import ApiKey, ChatThread, DataSource, Message, Tenant
from ai.services import actors, connections, messages
from tests import factories
from tests.api.live import served
from tests.remote import syncing
from tests.remote.syncing import said, sync, texts

pytestmark = pytest.mark.django_db(transaction=True)


class TestOtherConsole:
    def test_conversations_come_with_files_and_answers_go_back(self, tenant: Tenant) -> None:
        other = factories.tenant("Elsewhere")
        with tenancy.scope(other.pk):
            file = DataSource.objects.add_file(b"It left Hamburg.", name="parcel.txt")
            asked = {**said("user", "Where is it?"), "attachments": [{"file_id": file.file_id}]}
            theirs = factories.thread(other, asked, said("assistant", "In Hamburg."), *factories.talk(60))
            _, key = ApiKey.objects.make(
                tenant_id=other.pk, created=timezone.now(), name="sync", scopes=["read", "write"], created_by="x"
            )
        with served() as url:
            connection = syncing.connection(tenant, url)
            connection.set_api_key(key)
            connection.save()
            ours = syncing.linked(tenant, ids.public("thread", theirs.pk))

            first = sync(ours)
            Message.objects.append([said("user", "Thank you!")], thread_id=ours.pk)
            second = sync(ours)
            third = sync(ours)
            tested = connections.test(row=connection, by=actors.SYSTEM, at=timezone.now())
            wrong = syncing.linked(tenant, "conv_elsewhere")
            refused = sync(wrong)

        assert syncing.results(first) == ["122 came, 1 file came along"]
        assert syncing.results(second) == ["1 went"]
        assert syncing.results(third) == ["In step"]
        assert ours.sync_state == "linked"
        assert tested.serves == ("Assistants-style threads",)
        assert "knows no conversations" in syncing.results(refused)[0]
        assert wrong.sync_state == "local"
        with tenancy.scope(other.pk):
            assert texts(theirs) == texts_in(tenant, ours)
        copy = DataSource.objects.get()
        assert (copy.name, copy.sha256) == (file.name, file.sha256)

    def test_an_answer_given_there_comes_here(self, tenant: Tenant) -> None:
        other = factories.tenant("Elsewhere")
        theirs = factories.thread(other, said("user", "Hello?"))
        with tenancy.scope(other.pk):
            _, key = ApiKey.objects.make(
                tenant_id=other.pk, created=timezone.now(), name="sync", scopes=["read"], created_by="x"
            )
        with served() as url:
            connection = syncing.connection(tenant, url)
            connection.set_api_key(key)
            connection.save()
            ours = syncing.linked(tenant, ids.public("thread", theirs.pk))
            sync(ours, direction="pull")
            with tenancy.scope(other.pk):
                messages.create(
                    thread_id=theirs.pk, role="assistant", content="Hello!", by=actors.SYSTEM, at=timezone.now()
                )

            sync(ours, direction="pull")

        assert texts(ours) == ["Hello?", "Hello!"]


def texts_in(tenant: Tenant, thread: ChatThread) -> list[object]:
    with tenancy.scope(tenant.pk):
        return texts(thread)
