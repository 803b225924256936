"""Hostile content renders inert: no dialog, no request to anybody else, no violation of the content policy."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Page

from tests.journeys.conftest import Watched
from tests.journeys.running import Console

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

HOSTILE = json.loads(Path(settings.BASE_DIR, "fixtures", "demo", "hostile.jsonl").read_text().splitlines()[0])


def links(page: Page, pattern: str) -> list[str]:
    """The page's own links that match."""
    every = page.eval_on_selector_all("a[href]", "found => found.map(a => a.href)")
    return sorted({url for url in every if re.search(pattern, url)})


class TestTheHostileThread:
    def test_is_inert_as_a_transcript(self, page: Page, running: Console, watched: Watched) -> None:
        page.goto(f"{running.url}/admin/ai/chatthread/{HOSTILE['id']}/change/")
        page.wait_for_load_state("networkidle")
        for fold in page.locator("main details, #main details").all():
            fold.evaluate("fold => { fold.open = true }")
        page.wait_for_timeout(300)

        watched.assert_clean()
        assert page.locator("img[src^='http']:not([src^='" + running.url + "'])").count() == 0

    @pytest.mark.parametrize(
        "path",
        [
            "ai/chatthread/",
            "ai/chatthread/?q=script",
            "ai/message/?q=script",
            "ai/message/",
            "ai/run/",
            "ai/datasource/",
            "ai/feedback/",
            "",
        ],
    )
    def test_is_inert_in_lists(self, page: Page, running: Console, watched: Watched, path: str) -> None:
        page.goto(f"{running.url}/admin/{path}")
        page.wait_for_load_state("networkidle")

        watched.assert_clean()

    def test_is_inert_on_every_page_of_its_parts(self, page: Page, running: Console, watched: Watched) -> None:
        page.goto(f"{running.url}/admin/ai/chatthread/{HOSTILE['id']}/change/")
        targets = links(page, r"/ai/(message|run|datasource|feedback)/[^/]+/")

        assert targets
        for url in targets:
            if "/content/" not in url and "download" not in url:
                page.goto(url)
                page.wait_for_load_state("networkidle")
        watched.assert_clean()
