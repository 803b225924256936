"""The way to a file: filter the list, export what it shows, open what was downloaded."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page

from ai.services.tables import reader
from tests.journeys.conftest import Watched
from tests.journeys.running import Console

pytestmark = pytest.mark.browser


def test_filter_export_and_open_the_file(page: Page, running: Console, watched: Watched) -> None:
    page.goto(f"{running.url}/admin/ai/chatthread/?feedback=down")
    titles = page.locator("#result_list tbody tr").count()

    page.get_by_role("link", name=re.compile(r"Export these \d+…")).click()
    assert page.get_by_text(re.compile("feedback is down")).is_visible()
    page.get_by_role("radio", name=re.compile("^CSV")).check()
    with page.expect_download() as started:
        page.get_by_role("button", name="Export").click()
    rows = list(reader(io.StringIO(Path(started.value.path()).read_text(encoding="utf-8"), newline="")))

    assert re.fullmatch(r"threads-[\d-]+\.csv", started.value.suggested_filename)
    assert len(rows) == titles > 0
    assert {row["feedback"] for row in rows} == {"down"}
    watched.assert_clean()


def test_tick_export_and_read_the_conversations(page: Page, running: Console, watched: Watched) -> None:
    page.goto(f"{running.url}/admin/ai/chatthread/")
    boxes = page.locator("#result_list tbody").get_by_role("checkbox")
    boxes.nth(0).check()
    boxes.nth(1).check()

    page.get_by_role("combobox", name=re.compile("Action", re.IGNORECASE)).select_option(label="Export…")
    page.get_by_role("button", name=re.compile("^(Run|Go)")).click()
    assert page.get_by_text("2 chosen threads").is_visible()
    with page.expect_download() as started:
        page.get_by_role("button", name="Export").click()
    lines = [json.loads(line) for line in Path(started.value.path()).read_text(encoding="utf-8").splitlines()]

    assert len(lines) == 2
    assert all(message["role"] for line in lines for message in line["messages"])
    watched.assert_clean()


def test_import_a_csv_file_after_looking_at_the_preview(page: Page, running: Console, watched: Watched) -> None:
    page.goto(f"{running.url}/admin/ai/assistant/")
    with page.expect_download() as started:
        page.get_by_role("link", name=re.compile("Export all")).click()
        page.get_by_role("radio", name=re.compile("^CSV")).check()
        page.get_by_role("button", name="Export").click()
    changed = Path(started.value.path()).read_bytes().replace(b"helpful", b"very helpful")

    page.goto(f"{running.url}/admin/ai/assistant/")
    page.get_by_role("link", name="Import CSV…").click()
    page.locator("input[type=file]").set_input_files(
        {"name": "assistants.csv", "mimeType": "text/csv", "buffer": changed}
    )
    page.get_by_role("button", name="Submit").click()
    assert page.get_by_text(re.compile(r"0 new, \d+ changed, \d+ as they are")).is_visible()
    page.get_by_role("button", name="Confirm import").click()

    assert page.get_by_text(re.compile("Import finished")).is_visible()
    watched.assert_clean()
