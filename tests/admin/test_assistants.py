"""Assistants in the admin: tools and settings by their own fields; tenants and the functions that they may call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ai import ids, tenancy, tools
from ai.models import Assistant, AuditEntry, DataSource, ModelRoute, Run, Tenant, VectorStore
from tests import factories
from tests.admin.conversations import operator

pytestmark = pytest.mark.django_db

ADD = "/admin/ai/assistant/add/"
ALL = ("view_assistant", "add_assistant", "change_assistant", "view_run")
CLIENT_TOOL = {
    "type": "function",
    "function": {
        "name": "find_order",
        "description": "Look up an order.",
        "parameters": {
            "type": "object",
            "properties": {
                "number": {"type": "string", "description": "As on the invoice"},
                "fields": {"type": "array", "items": {"enum": ["status", "total"]}},
            },
            "required": ["number"],
        },
    },
}


@pytest.fixture
def weather() -> Iterator[str]:
    """A function that the project registered."""

    def weather_in(city: str) -> str:
        """The weather in a city."""
        return f"It rains in {city}."

    registered = dict(tools.default._tools)
    tools.default.add(weather_in)
    yield "weather_in"
    tools.default._tools = registered


def form(**values: Any) -> dict[str, Any]:
    return {"name": "Helper", "model": "local:smollm2", "instructions": "Be brief.", **values}


def saved(client: Client, url: str = ADD, **values: Any) -> Assistant:
    response = client.post(url, form(**values))
    assert response.status_code == 302, response.content.decode()
    row: Assistant = Assistant.objects.get()
    return row


def store(tenant: Tenant, name: str = "Policies") -> VectorStore:
    return VectorStore.objects.make(VectorStore(name=name, tenant_id=tenant.pk), at=timezone.now())


class TestForm:
    def test_keeps_tools_resources_and_settings_as_the_api_has_them(self, tenant: Tenant, weather: str) -> None:
        papers = ids.public("vector_store", store(tenant).pk)
        data = DataSource.objects.add_file(b"a,b", "orders.csv", tenant_id=tenant.pk)

        row = saved(
            operator(tenant, *ALL),
            server_tools=[weather],
            client_tools='[{"type": "function", "function": {"name": "find_order"}}]',
            file_search="on",
            vector_store=papers,
            code_interpreter="on",
            code_files=data.file_id,
            temperature="0.2",
            top_p="0.9",
            reasoning_effort="low",
            response_format="json_schema",
            response_schema='{"name": "answer", "schema": {"type": "object"}}',
            metadata='{"team": "support"}',
        )

        names = [tool.get("function", {}).get("name") or tool["type"] for tool in row.tools]
        assert names == [weather, "find_order", "file_search", "code_interpreter"]
        assert row.tools[0]["function"]["parameters"]["required"] == ["city"]
        assert row.tool_resources == {
            "file_search": {"vector_store_ids": [papers]},
            "code_interpreter": {"file_ids": [data.file_id]},
        }
        assert row.settings == {
            "temperature": 0.2,
            "top_p": 0.9,
            "reasoning_effort": "low",
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": {"type": "object"}},
            },
        }
        assert row.metadata == {"team": "support"}
        assert AuditEntry.objects.filter(action="assistant.added").count() == 1

    def test_saved_as_it_is_shown_changes_nothing(self, tenant: Tenant) -> None:
        papers = ids.public("vector_store", store(tenant).pk)
        row = Assistant(tenant_id=tenant.pk, name="Helper", model="gone-model", instructions="Be brief.")
        row.tools = [CLIENT_TOOL, {"type": "file_search", "file_search": {"max_num_results": 5}}]
        row.tool_resources = {
            "file_search": {"vector_store_ids": [papers]},
            "code_interpreter": {"file_ids": ["file-x"]},
        }
        row.settings = {"temperature": 0.5, "response_format": {"type": "json_object"}, "more": 1}
        row.save(force_insert=True)
        client, url = operator(tenant, *ALL), f"/admin/ai/assistant/{row.pk}/change/"
        before = Assistant.objects.values("tools", "tool_resources", "settings", "metadata", "model").get()

        fields = client.get(url).context["adminform"].form
        given = {name: fields[name].value() for name in fields.fields}
        saved(client, url, **{name: value for name, value in given.items() if value not in (None, False)})

        assert Assistant.objects.values("tools", "tool_resources", "settings", "metadata", "model").get() == before

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"model": "nobody-knows-it"}, "There is no model “nobody-knows-it”"),
            ({"client_tools": '{"a": 1}'}, "A list, such as"),
            ({"client_tools": '[{"type": "function", "function": {}}]'}, "A list, such as"),
            ({"code_files": "file-nowhere"}, "There is no file file-nowhere"),
            (
                {"response_format": "json_schema", "response_schema": '{"name": 1}'},
                "An object with a name and a schema",
            ),
            ({"temperature": "3"}, "less than or equal to 2"),
            ({"vector_store": "vs_nowhere"}, "Select a valid choice"),
            ({"metadata": "[1]"}, "An object, such as"),
        ],
    )
    def test_says_what_is_wrong(self, tenant: Tenant, values: dict[str, str], words: str) -> None:
        response = operator(tenant, *ALL).post(ADD, form(**values))

        assert response.status_code == 200
        assert words in response.content.decode()
        assert not Assistant.objects.exists()

    def test_takes_a_name_that_the_tenants_map_knows(self, tenant: Tenant) -> None:
        ModelRoute.objects.set(tenant_id=tenant.pk, pattern="gpt-4*", alias="local:smollm2")

        assert saved(operator(tenant, *ALL), model="gpt-4o").model == "gpt-4o"

    def test_offers_no_vector_store_of_another_tenant(self, tenant: Tenant) -> None:
        other = factories.tenant("Kestrel")
        with tenancy.scope(other.pk):
            store(other, "Secret papers")
        row = Assistant(tenant_id=tenant.pk, name="Helper", model="m")
        row.save(force_insert=True)

        html = operator(tenant, *ALL).get(f"/admin/ai/assistant/{row.pk}/change/").content.decode()

        assert "Secret papers" not in html


class TestPage:
    def test_shows_in_words_what_it_can_do_and_did(self, tenant: Tenant, weather: str) -> None:
        papers = store(tenant)
        row = Assistant(tenant_id=tenant.pk, name="Helper", model="m", settings={"temperature": 0.2})
        known = tools.default.get(weather)
        assert known
        row.tools = [CLIENT_TOOL, known.to_json(), {"type": "file_search"}, {"type": "code_interpreter"}]
        row.tool_resources = {"file_search": {"vector_store_ids": [ids.public("vector_store", papers.pk), "vs_gone"]}}
        row.save(force_insert=True)
        run = Run(tenant_id=tenant.pk, assistant_id=row.pk, model="m", status="completed", ended_at=timezone.now())
        Run.objects.insert([run])

        html = operator(tenant, "view_assistant", "view_run").get(f"/admin/ai/assistant/{row.pk}/change/").content
        page = html.decode()

        assert "answered by the client" in page
        assert "runs here" in page
        assert "list of status | total, optional" in page
        assert f"/admin/ai/vectorstore/{papers.pk}/change/" in page
        assert "not here any more" in page
        assert f"/admin/ai/run/{run.pk}/change/" in page
        assert f"/admin/ai/run/?assistant={row.pk}" in page
        assert 'name="server_tools"' not in page

    def test_leads_to_its_runs_alone(self, tenant: Tenant) -> None:
        row = Assistant(tenant_id=tenant.pk, name="Helper", model="m")
        row.save(force_insert=True)
        ended = {"tenant_id": tenant.pk, "status": "completed", "ended_at": timezone.now()}
        Run.objects.insert([Run(**ended, model="mine", assistant_id=row.pk), Run(**ended, model="other")])

        response: Any = operator(tenant, "view_run").get("/admin/ai/run/", {"assistant": str(row.pk)})

        assert [run.model for run in response.context["cl"].result_list] == ["mine"]


class TestTenants:
    def test_may_call_chosen_functions_or_all(self, tenant: Tenant, weather: str) -> None:
        client = operator(tenant, "view_tenant", "change_tenant")
        url = f"/admin/ai/tenant/{tenant.pk}/change/"

        client.post(url, {"name": "Northwind", "allowed_tools": [weather]})
        tenant.refresh_from_db()
        chosen = tenant.allowed_tools
        client.post(url, {"name": "Northwind"})

        tenant.refresh_from_db()
        assert chosen == [weather]
        assert tenant.allowed_tools is None

    def test_a_function_that_is_not_allowed_is_marked(self, tenant: Tenant, weather: str) -> None:
        Tenant.objects.filter(pk=tenant.pk).update(allowed_tools=["another"])
        known = tools.default.get(weather)
        assert known
        row = Assistant(tenant_id=tenant.pk, name="Helper", model="m", tools=[known.to_json()])
        row.save(force_insert=True)

        html = operator(tenant, *ALL).get(f"/admin/ai/assistant/{row.pk}/change/").content.decode()

        assert "not allowed for this tenant" in html
