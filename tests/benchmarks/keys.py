"""From the press of a key to the next item on the screen, in a browser, at 1,000,000 messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import quantiles
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests.benchmarks.measures import Measure
from tests.benchmarks.places import Places
from tests.benchmarks.serving import web

CHROMIUM = "/usr/bin/chromium"
GOAL_MS = 150
CARDS = 60

#: The time of a key is that of its event; an item is there once the browser has drawn it.
WATCH = """([selector, name]) => {
    window.taken = [];
    let pressed = 0;
    let shown = document.querySelector(selector)?.dataset[name];
    addEventListener("keydown", (event) => { pressed = event.timeStamp; }, true);
    const draw = (now) => {
        const item = document.querySelector(selector)?.dataset[name];
        if (item !== shown) requestAnimationFrame(() => setTimeout(() => taken.push(performance.now() - pressed)));
        shown = item;
    };
    new MutationObserver(draw).observe(document.body, { childList: true, subtree: true });
}"""


def run(places: Places) -> list[Measure]:
    """The 95th percentile of each, over a hundred reviews and sixty cards."""
    place = places.get("big")
    found = place.inside("keys")
    with web(place) as server, _browser(server.url, found) as page:
        return [
            _measure("review, from Ctrl+Enter to the next item", _reviews(page, server.url, found)),
            _measure("inbox, from a key to the next card", _cards(page, server.url, found)),
            _measure("inbox, from j to the next card", _steps(page)),
        ]


def _measure(name: str, taken: list[float]) -> Measure:
    parts = quantiles(taken, n=20)
    return Measure(name, parts[18], GOAL_MS, " ms", note=f"p95 of {len(taken)}; median {parts[9]:.0f} ms")


@contextmanager
def _browser(url: str, found: dict[str, Any]) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1400, "height": 900})
        context.add_cookies([{"name": found["cookie"], "value": found["session"], "url": url}])
        yield context.new_page()
        browser.close()


def _reviews(page: Page, url: str, found: dict[str, Any]) -> list[float]:
    page.goto(f"{url}{found['queue']}")
    page.get_by_role("button", name="Start reviewing").click()
    page.wait_for_selector("#r-form")
    page.evaluate(WATCH, ["#r-page", "slot"])

    def answer(_: int) -> None:
        page.keyboard.press("1")
        page.keyboard.press("3")
        page.keyboard.press("Control+Enter")

    return _pressed(page, answer, found["items"] - 2)


def _cards(page: Page, url: str, found: dict[str, Any]) -> list[float]:
    page.goto(f"{url}{found['inbox']}")
    page.wait_for_selector("#i-page")
    page.evaluate(WATCH, ["#i-page", "item"])
    return _pressed(page, lambda number: page.keyboard.press("e" if number % 2 else "w"), CARDS)


def _steps(page: Page) -> list[float]:
    return _pressed(page, lambda _: page.keyboard.press("j"), CARDS // 2)


def _pressed(page: Page, press: Callable[[int], None], times: int) -> list[float]:
    """The milliseconds of each; the first one warms up."""
    page.evaluate("taken.length = 0")
    for number in range(times + 1):
        press(number)
        page.wait_for_function("count => taken.length >= count", arg=number + 1, polling=10)
    return [float(each) for each in page.evaluate("taken")][1:]
