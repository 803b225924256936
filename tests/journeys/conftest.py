"""A running console and a signed-in browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request

from tests.journeys.running import PASSWORD, Console, console


@pytest.fixture(scope="session")
def running() -> Iterator[Console]:
    """One console for all journeys, with the demo data."""
    with console() as started:
        yield started


@dataclass
class Watched:
    """What must not happen on a page: dialogs, requests elsewhere, errors and violations in the browser's log."""

    origin: str
    dialogs: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Note whatever happens from now on."""
        page.on("dialog", self._dialog)
        page.on("request", self._request)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:", "blob:")):
            self.strangers.append(request.url)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def assert_clean(self) -> None:
        """Nothing of all this has happened."""
        assert self.dialogs == []
        assert self.strangers == []
        assert self.errors == []


def sign_in(page: Page, origin: str) -> None:
    """Sign in as the administrator, the way a person does."""
    page.goto(f"{origin}/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_load_state()


@pytest.fixture
def watched(running: Console) -> Watched:
    """The eyes on the page."""
    return Watched(running.url)


@pytest.fixture
def page(browser: Browser, running: Console, watched: Watched) -> Iterator[Page]:
    """A signed-in page of 1400 by 900 px."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(15_000)
    sign_in(opened, running.url)
    watched.watch(opened)
    yield opened
    context.close()
