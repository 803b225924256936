"""The main journey: open a conversation, replay it on the embedded model, read the two answers side by side."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Watched
from tests.journeys.running import Console

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

REPLAY_SECONDS = 20
END_SECONDS = 60
# A model this small may not find its end, and is stopped.
ENDED = re.compile("^(Completed|Incomplete)$")


class TestReplay:
    def test_shows_the_difference_within_twenty_seconds(self, page: Page, running: Console, watched: Watched) -> None:
        page.get_by_role("link", name="Threads").first.click()
        page.get_by_role("link", name="Lisbon weekend for two").click()
        page.get_by_role("link", name=re.compile("Replay on")).first.click()
        page.get_by_role("checkbox", name=re.compile("smollm2")).first.check()

        begun = time.monotonic()
        page.get_by_role("button", name=re.compile("Replay")).click()

        replayed = page.get_by_role("region", name="Replay")
        expect(replayed.get_by_role("insertion").first).to_be_visible(timeout=REPLAY_SECONDS * 1000)
        assert time.monotonic() - begun < REPLAY_SECONDS
        # It shows while the model still writes, and stays when that is done.
        expect(replayed.get_by_text(ENDED)).to_be_visible(timeout=END_SECONDS * 1000)
        expect(replayed.get_by_role("insertion").first).to_be_visible()
        watched.assert_clean()
