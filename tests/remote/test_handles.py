"""The live handle of a thread's remote side, over the tenant's connection."""

from __future__ import annotations

import pytest
from django.test import override_settings

from ai.exceptions import InvalidInput, ModelError
from ai.models import RemoteConnection, Tenant
from tests import factories
from tests.fakes.remotes import RemoteServer
from tests.remote.syncing import linked

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated"),
]


class TestRemoteThread:
    @pytest.mark.parametrize(("makes", "prefix"), [("conversation", "conv_"), ("thread", "thread_")])
    def test_makes_what_the_connection_makes(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection, makes: str, prefix: str
    ) -> None:
        RemoteConnection.objects.update(makes=makes)
        thread = factories.thread(tenant)

        handle = thread.remote_thread()

        assert handle.id.startswith(prefix)
        assert handle.retrieve().id == handle.id
        assert (thread.external_id, thread.sync_state) == (handle.id, "linked")
        assert server.bodies[0] == {"metadata": {"thread_id": str(thread.pk)}}

    def test_retrieves_each_kind(self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection) -> None:
        server.state.responses["resp_1"] = {"id": "resp_1", "object": "response", "created_at": 1, "output": []}
        server.state.completions["chatcmpl-1"] = {"id": "chatcmpl-1", "choices": [], "created": 1, "model": "m"}

        for key in ("resp_1", "chatcmpl-1", server.state.thread(), server.state.conversation()):
            assert linked(tenant, key).remote_thread().retrieve().id == key

    def test_an_id_of_nothing_remote_is_refused(self, tenant: Tenant, connection: RemoteConnection) -> None:
        with pytest.raises(InvalidInput, match="not one of a remote conversation"):
            linked(tenant, "5f0d9a3c", source="chatgpt").remote_thread()

    def test_calls_no_private_address_that_is_not_allowed(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = linked(tenant, server.state.thread())

        with override_settings(AI_PRIVATE_MODEL_HOSTS=[]), pytest.raises(InvalidInput, match="private or loopback"):
            thread.remote_thread()

        handle = thread.remote_thread()
        with (
            override_settings(AI_PRIVATE_MODEL_HOSTS=[]),
            pytest.raises(ModelError, match="refused before it was made"),
        ):
            handle.client.with_options(max_retries=0).beta.threads.retrieve(handle.id)
        assert server.requests == []
