"""`make screenshots`: the pictures in `fixtures/screenshots`, taken of the demo data in a real browser."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.environment import CHROMIUM
from tests.journeys.conftest import sign_in
from tests.journeys.running import PROJECT, Console, console

FOLDER = PROJECT / "fixtures" / "screenshots"
THREAD = "ec0b2d3e-e1cd-5572-92ca-4b016d7f2728"
WIDE, NARROW = {"width": 1400, "height": 900}, {"width": 390, "height": 844}


def main() -> None:
    """Take them all."""
    FOLDER.mkdir(exist_ok=True)
    with console() as running, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(viewport=WIDE, device_scale_factor=1).new_page()  # type: ignore[arg-type]
        sign_in(page, running.url)
        replay(page, running)
        for name, path in {"dashboard": "", "threads": "ai/chatthread/", "thread": thread_path()}.items():
            take(page, running, path, name)
        review(page, running)
        dark(page)
        take(page, running, thread_path(), "thread-dark")
        page.set_viewport_size(NARROW)  # type: ignore[arg-type]
        take(page, running, thread_path(), "thread-narrow")
        browser.close()


def review(page: Page, running: Console) -> None:
    """An item of a review queue, half answered."""
    page.goto(f"{running.url}/admin/ai/reviewqueue/")
    page.get_by_role("link", name="Were customers helped?").click()
    page.get_by_role("button", name="Start reviewing").click()
    page.get_by_role("group", name="Was the customer helped?").wait_for()
    while "<" in page.locator("main h1.r-title").inner_text():  # one of the demo's conversations is not pretty
        page.keyboard.press("s")
        page.wait_for_timeout(500)
    page.keyboard.press("1")
    page.wait_for_timeout(2000)  # the draft is kept
    save(page, "review")


def thread_path() -> str:
    """The page of the thread that is shown."""
    return f"ai/chatthread/{THREAD}/change/"


def take(page: Page, running: Console, path: str, name: str) -> None:
    """One picture of one page."""
    page.goto(f"{running.url}/admin/{path}")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)
    save(page, name)


def save(page: Page, name: str) -> None:
    """The page as it is now."""
    target = Path(FOLDER, f"{name}.png")
    page.screenshot(path=target)
    sys.stdout.write(f"{target.relative_to(PROJECT)}\n")


def dark(page: Page) -> None:
    """Choose the dark theme, as its switch does."""
    page.evaluate("localStorage.setItem('adminTheme', JSON.stringify('dark'))")


def replay(page: Page, running: Console) -> None:
    """Replay the conversation on the embedded model and show both answers."""
    page.goto(f"{running.url}/admin/{thread_path()}")
    page.get_by_role("link", name=re.compile("Replay on")).first.click()
    page.get_by_role("checkbox", name=re.compile("smollm2")).first.check()
    page.get_by_role("button", name=re.compile("Replay")).click()
    page.get_by_role("region", name="Replay").get_by_text(re.compile("^(Completed|Incomplete)$")).wait_for(
        timeout=120_000
    )
    page.wait_for_timeout(500)
    save(page, "compare")


if __name__ == "__main__":
    main()
