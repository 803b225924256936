"""The probe."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import AsyncClient, Client, override_settings
from django.utils import timezone

from ai.models import Worker


def beat(seconds_ago: float = 0) -> None:
    at = timezone.now() - timedelta(seconds=seconds_ago)
    Worker.objects.beat(name="w1", host="here", pid=1, at=at)


@pytest.mark.django_db
class TestHealthz:
    def test_answers_200_when_all_is_well(self, client: Client) -> None:
        beat()

        response = client.get("/healthz")

        assert response.status_code == 200
        assert response.json() == {"status": "ok", "database": "ok", "broker": "ok", "worker": "ok"}

    def test_answers_503_when_no_worker_was_heard_of_lately(self, client: Client) -> None:
        beat(seconds_ago=20)

        response = client.get("/healthz")

        assert response.status_code == 503
        assert response.json() == {"status": "down", "database": "ok", "broker": "ok", "worker": "down"}

    @pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "amqp://127.0.0.1:1//"])
    def test_answers_503_soon_when_the_broker_is_away(self, client: Client, url: str) -> None:
        beat()

        started = timezone.now()
        with override_settings(CELERY_BROKER_URL=url):
            response = client.get("/healthz")

        assert response.status_code == 503
        assert response.json()["broker"] == "down"
        assert timezone.now() - started < timedelta(seconds=5)

    def test_sees_the_folder_of_the_embedded_queue(self, client: Client) -> None:
        beat()

        with override_settings(CELERY_BROKER_URL="folder://localhost", CELERY_BROKER_FOLDER=settings.HOME / "nowhere"):
            response = client.get("/healthz")

        assert response.json()["broker"] == "down"

    def test_opens_no_session_and_sets_no_cookie(self, client: Client) -> None:
        response = client.get("/healthz")

        assert not response.cookies
        assert not Session.objects.exists()

    @override_settings(ALLOWED_HOSTS=["console.example.com"], SECURE_SSL_REDIRECT=True)
    def test_answers_a_probe_that_uses_the_address(self, client: Client) -> None:
        beat()

        response = client.get("/healthz", headers={"host": "127.0.0.1:8000"})

        assert response.status_code == 200

    def test_refuses_to_be_posted_to(self, client: Client) -> None:
        assert client.post("/healthz").status_code == 405


@pytest.mark.django_db(transaction=True)
async def test_answers_an_async_server(async_client: AsyncClient) -> None:
    response = await async_client.get("/healthz")

    assert response.status_code == 503
    assert response.json()["database"] == "ok"
