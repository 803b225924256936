"""Language models: keys go in and never come out; testing says in plain words what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from ai.models import AuditEntry, LanguageModel
from tests import factories
from tests.admin import world

pytestmark = pytest.mark.django_db

KEY = "sk-never-show-this"


@pytest.fixture
def root(db: None) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root", "", "x"))
    return client


def form(**values: Any) -> dict[str, Any]:
    fixed = {"alias": "fast", "provider": "openai", "model": "gpt-4o-mini", "settings": "{}", "is_enabled": "on"}
    return {**fixed, "base_url": "", "api_key_env": "", "api_version": "", **values}


class TestKeys:
    def test_are_stored_encrypted_and_never_rendered(self, root: Client) -> None:
        root.post("/admin/ai/languagemodel/add/", form(api_key=KEY))
        row = LanguageModel.objects.get(alias="fast")

        pages = [f"/admin/ai/languagemodel/{row.pk}/{end}/" for end in ("change", "delete", "history", "test")]
        html = "".join(
            root.get(url).content.decode() for url in [*pages, "/admin/ai/languagemodel/", "/admin/ai/auditentry/"]
        )

        assert row.spec().api_key == KEY
        assert KEY not in row.encrypted_key
        assert KEY not in html
        assert row.encrypted_key not in html
        assert "Key stored" in html
        assert KEY not in str(list(AuditEntry._base_manager.values()))

    def test_stay_when_the_field_is_left_empty_and_go_when_asked(self, root: Client) -> None:
        row = world.model_named()
        url = f"/admin/ai/languagemodel/{row.pk}/change/"

        root.post(url, form(alias="fast", context_window="100"))
        row.refresh_from_db()
        assert (row.spec().api_key, row.context_window) == (KEY, 100)
        root.post(url, form(alias="fast", forget_key="on"))

        row.refresh_from_db()
        assert row.encrypted_key == ""

    def test_are_forgotten_when_the_server_changes(self, root: Client) -> None:
        row = world.model_named()
        url = f"/admin/ai/languagemodel/{row.pk}/change/"

        response = root.post(url, form(alias="fast", base_url="https://elsewhere.example.com/v1"), follow=True)

        row.refresh_from_db()
        assert row.encrypted_key == ""
        assert "its stored API key was forgotten" in response.content.decode()

    def test_a_failed_form_does_not_send_the_key_back(self, root: Client) -> None:
        html = root.post("/admin/ai/languagemodel/add/", form(alias="not allowed!", api_key=KEY)).content.decode()

        assert "Letters, digits" in html
        assert KEY not in html

    def test_viewers_see_the_state_and_no_field(self) -> None:
        row = world.model_named()
        client = Client()
        client.force_login(factories.staff("view_languagemodel"))

        html = client.get(f"/admin/ai/languagemodel/{row.pk}/change/").content.decode()

        assert "Key stored" in html
        assert 'name="api_key"' not in html
        assert "Test connection" not in html
        assert client.post(f"/admin/ai/languagemodel/{row.pk}/test/").status_code == 403


class TestForm:
    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"provider": "openai-compatible"}, "needs a base URL"),
            ({"base_url": "http://169.254.169.254/v1"}, "never allowed"),
            ({"base_url": "http://10.0.0.1/v1"}, "AI_PRIVATE_MODEL_HOSTS"),
            ({"base_url": "http://user:pass@example.com/v1"}, "must not contain a user name"),
            ({"settings": "[1]"}, "An object"),
            ({"api_key_env": "SECRET_KEY", "base_url": "https://example.com/v1"}, "secret of the installation"),
        ],
    )
    def test_says_what_is_wrong(self, root: Client, values: dict[str, str], words: str) -> None:
        response = root.post("/admin/ai/languagemodel/add/", form(**values))

        assert response.status_code == 200
        assert words in response.content.decode()
        assert not LanguageModel.objects.exists()

    def test_helps_with_each_provider(self, root: Client) -> None:
        html = root.get("/admin/ai/languagemodel/add/").content.decode()

        assert 'id="provider-help"' in html
        assert "ANTHROPIC_API_KEY" in html


class TestConnection:
    def test_is_a_post_and_says_in_plain_words_what_is_wrong(self, root: Client) -> None:
        row = factories.language_model(alias="nowhere", base_url="http://127.0.0.1:9/v1")
        url = f"/admin/ai/languagemodel/{row.pk}/test/"

        assert "Test the connection?" in root.get(url).content.decode()
        assert not AuditEntry._base_manager.filter(action="language_model.tested").exists()
        html = root.post(url, follow=True).content.decode()

        assert "could not be reached" in html
        assert AuditEntry._base_manager.filter(action="language_model.tested").count() == 1

    def test_of_a_model_that_is_off_is_refused(self, root: Client) -> None:
        row = factories.language_model(is_enabled=False)

        assert root.post(f"/admin/ai/languagemodel/{row.pk}/test/").status_code == 404
