"""Syncs, moves and connections from the admin: who may, what is asked, and what follows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from ai import tenancy
from ai.models import AuditEntry, ChatThread, Job, Message, RemoteConnection, SyncConflict, Tenant
from tests import factories
from tests.fakes.remotes import RemoteServer
from tests.fakes.remotes.server import KEY
from tests.remote import syncing

pytestmark = pytest.mark.django_db

OPERATOR = (
    "view_chatthread",
    "add_chatthread",
    "sync_chatthread",
    "view_job",
    "view_message",
    "view_syncconflict",
    "decide_syncconflict",
)
KEEPER = tuple(f"{verb}_remoteconnection" for verb in ("view", "add", "change", "delete", "test"))


@pytest.fixture
def server() -> Iterator[RemoteServer]:
    with RemoteServer() as running:
        yield running


@pytest.fixture
def connection(tenant: Tenant, server: RemoteServer) -> RemoteConnection:
    return syncing.connection(tenant, server.url)


def signed_in(tenant: Tenant, *permissions: str) -> Client:
    client = Client()
    client.force_login(factories.staff(*permissions, tenants=(tenant,)))
    return client


def said(response: Any) -> str:
    return " ".join(str(message) for message in response.context["messages"])


class TestSync:
    def test_the_action_leads_to_a_page_that_asks_and_then_to_the_job(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = syncing.linked(tenant, server.state.thread("one", "two"))
        client = signed_in(tenant, *OPERATOR)

        chosen = {"action": "sync_now", "_selected_action": [str(thread.pk)], "index": "0"}
        page: Any = client.post("/admin/ai/chatthread/", chosen, follow=True)
        asked: Any = client.post(page.request["PATH_INFO"] + "?" + page.request["QUERY_STRING"], {"direction": "pull"})

        job = Job.objects.get()
        assert "Sync now" in page.content.decode()
        assert asked["Location"] == f"/admin/ai/job/{job.pk}/change/"
        syncing.carry_on(job)
        html = client.get(asked["Location"]).content.decode()
        assert "2 came" in html

    def test_takes_all_that_a_filter_shows(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        for user in ("ann", "ann", "bob"):
            syncing.linked(tenant, server.state.thread("one"), user_id=user)
        client = signed_in(tenant, *OPERATOR)

        listed = client.get("/admin/ai/chatthread/?user=ann").content.decode()
        client.post("/admin/ai/chatthread/sync/?user=ann", {"direction": "both"})

        assert "/admin/ai/chatthread/sync/?user=ann" in listed
        assert Job.objects.get().total == 2
        assert AuditEntry.objects.get(action="thread.sync_requested").data["selection"] == "threads: user is ann"

    def test_says_when_nothing_has_a_remote_side(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant)
        client = signed_in(tenant, *OPERATOR)

        page = client.get(f"/admin/ai/chatthread/sync/?ids={thread.pk.hex}").content.decode()
        refused = client.post(f"/admin/ai/chatthread/sync/?ids={thread.pk.hex}", {"direction": "both"}, follow=True)

        assert "None of these threads has a remote side" in page
        assert "Move one" in said(refused)
        assert not Job.objects.exists()

    @pytest.mark.parametrize("page", ["sync", "move", "bring-in"])
    def test_is_for_those_who_may(self, tenant: Tenant, page: str) -> None:
        thread = syncing.linked(tenant, "thread_a")
        client = signed_in(tenant, "view_chatthread", "view_message")
        url = f"/admin/ai/chatthread/{page}/?ids={thread.pk.hex}"

        html = client.get("/admin/ai/chatthread/").content.decode()
        html += client.get(f"/admin/ai/chatthread/{thread.pk}/change/").content.decode()

        assert (client.get(url).status_code, client.post(url).status_code) == (403, 403)
        for words in ("Sync now…", "Sync all…", "Bring in…", "Move…"):
            assert words not in html

    @pytest.mark.parametrize("page", ["sync", "move"])
    def test_another_tenants_threads_do_not_exist(self, tenant: Tenant, page: str) -> None:
        theirs = syncing.linked(factories.tenant(), "thread_a")
        client = signed_in(tenant, *OPERATOR)

        assert client.get(f"/admin/ai/chatthread/{page}/?ids={theirs.pk.hex}").status_code == 404

    def test_nonsense_leads_back_with_a_word(self, tenant: Tenant) -> None:
        client = signed_in(tenant, *OPERATOR)

        for query in ("ids=nonsense", "sync=nonsense", "nonsense=1"):
            response = client.get(f"/admin/ai/chatthread/sync/?{query}", follow=True)

            assert response.status_code == 200
            assert said(response)


class TestMove:
    def test_gives_a_thread_its_first_remote_side(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = factories.thread(tenant, *factories.talk(1))
        url = f"/admin/ai/chatthread/move/?ids={thread.pk.hex}"

        RemoteConnection.objects.update(makes="thread")
        signed_in(tenant, *OPERATOR).post(url, {"connection": str(connection.pk), "makes": ""})
        syncing.carry_on(Job.objects.get())

        thread.refresh_from_db()
        assert len(server.state.threads[str(thread.external_id)]) == 2

    def test_wants_a_connection(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant)
        url = f"/admin/ai/chatthread/move/?ids={thread.pk.hex}"

        response = signed_in(tenant, *OPERATOR).post(url, {"makes": "thread"}, follow=True)

        assert "Choose a connection" in said(response)
        assert "There is no connection yet" in response.content.decode()


class TestBringIn:
    def test_makes_threads(self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection) -> None:
        keys = [server.state.thread("one"), server.state.thread("two")]
        form = {"connection": str(connection.pk), "external_ids": f"{keys[0]},\n {keys[1]}\n"}

        signed_in(tenant, *OPERATOR).post("/admin/ai/chatthread/bring-in/", form)
        syncing.carry_on(Job.objects.get())

        assert {row.name for row in ChatThread.objects.all()} == {"one", "two"}


class TestConflictPage:
    @pytest.fixture
    def conflict(self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection) -> SyncConflict:
        thread = syncing.linked(tenant, key := server.state.thread("one"))
        syncing.sync(thread)
        server.state.edit(key, 0, "their words")
        row = Message.objects.get()
        Message.objects.replace(row.pk, syncing.said("user", "our words"), at=row.created)
        syncing.sync(thread)
        found: SyncConflict = SyncConflict.objects.get()
        return found

    def test_shows_both_sides_and_takes_the_decision(self, tenant: Tenant, conflict: SyncConflict) -> None:
        client = signed_in(tenant, *OPERATOR)
        url = f"/admin/ai/syncconflict/{conflict.pk}"

        page = client.get(f"{url}/change/").content.decode()
        thread = client.get(f"/admin/ai/chatthread/{conflict.thread_id}/change/").content.decode()
        job = client.get(f"/admin/ai/job/{Job.objects.latest('created').pk}/change/").content.decode()
        decided = client.post(f"{url}/decide/remote/", follow=True)

        assert "our words" in page
        assert "their" in page
        assert f"{url}/change/" in thread
        assert "Decide conflicts" in job
        assert "Decided." in said(decided)
        assert Message.objects.get().preview == "their words"

    def test_whoever_may_only_look_sees_no_buttons(self, tenant: Tenant, conflict: SyncConflict) -> None:
        client = signed_in(tenant, "view_syncconflict")

        page = client.get(f"/admin/ai/syncconflict/{conflict.pk}/change/").content.decode()

        assert "Take theirs" not in page
        assert client.post(f"/admin/ai/syncconflict/{conflict.pk}/decide/remote/").status_code == 403

    def test_an_unknown_decision_changes_nothing(self, tenant: Tenant, conflict: SyncConflict) -> None:
        client = signed_in(tenant, *OPERATOR)

        response = client.post(f"/admin/ai/syncconflict/{conflict.pk}/decide/both/", follow=True)

        assert "Say" in said(response)
        conflict.refresh_from_db()
        assert conflict.is_open


class TestConnections:
    FORM = {"name": "Old console", "makes": "thread", "concurrency": "3", "is_enabled": "on", "is_default": "on"}

    def test_are_added_tested_and_changed(self, tenant: Tenant, server: RemoteServer) -> None:
        client = signed_in(tenant, *KEEPER)
        form = {**self.FORM, "base_url": server.url, "api_key": KEY}

        client.post("/admin/ai/remoteconnection/add/", form)
        row = RemoteConnection.objects.get()
        tested = client.post(f"/admin/ai/remoteconnection/{row.pk}/test/", follow=True)

        assert (row.tenant_id, row.concurrency, row.is_default) == (tenant.pk, 3, True)
        assert row.address().api_key == KEY
        assert "It serves Assistants-style threads and Conversations." in said(tested)
        html = client.get(f"/admin/ai/remoteconnection/{row.pk}/change/").content.decode()
        assert KEY not in html
        assert "Key stored" in html
        assert [entry.action for entry in AuditEntry.objects.order_by("pk")] == [
            "remote_connection.added",
            "remote_connection.tested",
        ]

    def test_a_key_goes_to_no_other_server(self, tenant: Tenant, connection: RemoteConnection) -> None:
        client = signed_in(tenant, *KEEPER)
        form = {**self.FORM, "base_url": "https://example.com/v1"}

        response = client.post(f"/admin/ai/remoteconnection/{connection.pk}/change/", form, follow=True)

        connection.refresh_from_db()
        assert connection.encrypted_key == ""
        assert "Enter the key again" in said(response)

    def test_private_addresses_are_refused_beside_the_field(self, tenant: Tenant) -> None:
        client = signed_in(tenant, *KEEPER)

        for url in ("http://169.254.169.254/v1", "ftp://example.com", "http://10.0.0.1/v1"):
            page = client.post("/admin/ai/remoteconnection/add/", {**self.FORM, "base_url": url}).content.decode()

            assert any(words in page for words in ("never allowed", "must begin with", "private or loopback")), url
        assert not RemoteConnection.objects.exists()

    def test_a_new_default_takes_the_place_of_the_old_one(self, tenant: Tenant, connection: RemoteConnection) -> None:
        client = signed_in(tenant, *KEEPER)

        client.post("/admin/ai/remoteconnection/add/", {**self.FORM, "base_url": "", "api_key": "sk"})

        assert [row.name for row in RemoteConnection.objects.filter(is_default=True)] == ["Old console"]

    def test_a_name_is_a_tenants_once(self, tenant: Tenant, connection: RemoteConnection) -> None:
        client = signed_in(tenant, *KEEPER)

        page = client.post("/admin/ai/remoteconnection/add/", {**self.FORM, "name": connection.name})

        assert "a connection of this name already" in page.content.decode()
        assert RemoteConnection.objects.count() == 1

    def test_a_test_that_fails_says_why(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        server.keys.clear()

        response = signed_in(tenant, *KEEPER).post(f"/admin/ai/remoteconnection/{connection.pk}/test/", follow=True)

        assert "did not accept the API key" in said(response)

    def test_belong_to_their_tenant(self, tenant: Tenant, connection: RemoteConnection) -> None:
        stranger = signed_in(factories.tenant(), *KEEPER)

        assert stranger.get(f"/admin/ai/remoteconnection/{connection.pk}/change/").status_code in {302, 404}
        assert stranger.post(f"/admin/ai/remoteconnection/{connection.pk}/test/").status_code == 404
        assert connection.name not in stranger.get("/admin/ai/remoteconnection/").content.decode()

    def test_one_that_is_deleted_leaves_its_threads(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = syncing.linked(tenant, server.state.thread("one"))
        syncing.sync(thread)

        signed_in(tenant, *KEEPER).post(f"/admin/ai/remoteconnection/{connection.pk}/delete/", {"post": "yes"})

        assert not RemoteConnection.objects.exists()
        with tenancy.scope(tenant.pk):
            assert syncing.texts(thread) == ["one"]
