"""A journey: upload a file, look at its preview, import it, find the thread, and have the problems as a file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Watched
from tests.journeys.running import Console

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

TITLE = "How do lighthouses get their light"
GOOD = {
    "id": "lighthouse-1",
    "title": TITLE,
    "messages": [
        {"role": "user", "content": "How do lighthouses get their light?"},
        {"role": "assistant", "content": "From LEDs nowadays, through a Fresnel lens."},
    ],
}
BAD = {"id": "lighthouse-2", "messages": [{"role": "keeper", "content": "Ahoy"}]}


def upload(page: Page, file: Path) -> None:
    """From any page to the preview of a file."""
    page.get_by_role("link", name="Threads").first.click()
    page.get_by_role("link", name="Import…").click()
    page.locator("input[type=file]").set_input_files(file)
    if page.get_by_label("Tenant").count():
        page.get_by_label("Tenant").select_option(index=1)
    page.get_by_role("button", name="Upload and preview").click()


class TestImport:
    def test_upload_preview_import_and_find_the_thread(
        self, page: Page, running: Console, watched: Watched, tmp_path: Path
    ) -> None:
        file = tmp_path / "lighthouses.jsonl"
        file.write_text("\n".join(json.dumps(thread) for thread in (GOOD, BAD)))

        upload(page, file)

        expect(page.get_by_role("heading", name=re.compile("lighthouses.jsonl"))).to_be_visible()
        expect(page.get_by_role("cell", name=TITLE, exact=True)).to_be_visible()
        expect(page.get_by_text("Its role 'keeper' is none of")).to_be_visible()
        page.get_by_role("button", name=re.compile("Start the import")).click()

        expect(page.get_by_text("Completed")).to_be_visible(timeout=60_000)
        with page.expect_download() as download:
            page.get_by_role("link", name="Problems as CSV").click()
        assert "lighthouses.jsonl, line 2" in download.value.path().read_text()
        page.get_by_role("link", name="Open the threads").click()
        page.get_by_role("link", name=TITLE).first.click()

        expect(page.get_by_text("From LEDs nowadays, through a Fresnel lens.")).to_be_visible()
        watched.assert_clean()

    def test_say_what_the_columns_of_a_table_are(
        self, page: Page, running: Console, watched: Watched, tmp_path: Path
    ) -> None:
        file = tmp_path / "tickets.csv"
        file.write_text("No,Speaker,Body,Mood\nT-1,Customer,Where is my lamp?,calm\nT-1,Agent,It left Hamburg.,\n")

        upload(page, file)

        expect(page.get_by_text("Choose below which column is the thread.")).to_be_visible()
        expect(page.get_by_label("Body is read as")).to_have_value("content")
        page.get_by_label("No is read as").select_option("Thread")
        page.get_by_role("button", name="Preview with these").click()
        page.get_by_role("button", name=re.compile("Start the import")).click()

        expect(page.get_by_text("Completed")).to_be_visible(timeout=60_000)
        page.get_by_role("link", name="Open the threads").click()
        page.get_by_role("link", name="Lamp").first.click()

        expect(page.get_by_text("It left Hamburg.")).to_be_visible()
        watched.assert_clean()
