"""Static files, and the headers of every page."""

from typing import Any

import pytest
from django.test import AsyncClient, Client

STYLE = "/static/unfold/css/styles.css"


class TestStaticFiles:
    def test_are_served_by_a_sync_server(self, client: Client) -> None:
        response: Any = client.get(STYLE)

        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/css")
        assert len(b"".join(response.streaming_content)) == int(response.headers["Content-Length"])

    async def test_are_served_by_an_async_server(self, async_client: AsyncClient) -> None:
        response: Any = await async_client.get(STYLE)
        body = b"".join([chunk async for chunk in response.streaming_content])

        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/css")
        assert len(body) == int(response.headers["Content-Length"])

    async def test_are_not_sent_again_when_nothing_changed(self, async_client: AsyncClient) -> None:
        first = await async_client.get(STYLE)
        first.close()
        again = await async_client.get(STYLE, headers={"if-modified-since": first.headers["Last-Modified"]})

        assert again.status_code == 304
        assert again.content == b""


@pytest.mark.django_db
def test_every_page_says_what_it_may_load(client: Client) -> None:
    response = client.get("/admin/login/")
    policy = dict(part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";"))

    assert policy == {
        "default-src": "'self'",
        "script-src": "'self' 'unsafe-eval'",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data:",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_front_door_leads_to_the_admin(client: Client) -> None:
    assert client.get("/").headers["Location"] == "/admin/"
