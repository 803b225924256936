"""Somebody comments on some words and mentions a colleague, who finds the way there; and what axe-core says of the pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from tests.journeys.conftest import Watched
from tests.journeys.running import PASSWORD, Console

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

BENNO = f"""
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from ai.models import Tenant, TenantMembership
user = get_user_model().objects.create_user("benno", "benno@example.com", "{PASSWORD}", is_staff=True)
user.groups.add(Group.objects.get(name="Reviewer"))
TenantMembership.objects.create(user=user, tenant_id=Tenant.objects.named("Talkers").pk)
"""
PARCEL = """
from uuid import uuid4
from ai import tenancy
from ai.models import ChatThread, Tenant
with tenancy.scope(Tenant.objects.named("Talkers").pk):
    thread = ChatThread.objects.get_or_add_thread(uuid4(), name="A parcel")
    thread.add_message({"role": "user", "content": "Where is it?"})
    answer = thread.add_message({"role": "assistant", "content": "It left **Hamburg** this morning.\\n\\nIt is in Lyon now."})
print(f"/admin/ai/chatthread/{thread.pk}/change/ {answer.pk}")
"""
KEPT_KEY = """
from django.contrib.auth import get_user_model
from ai.services import keys
keys.keep({{"thread.comment": "{}"}}, by=get_user_model().objects.get(username="admin"))
"""
SELECT_ALL = "(said) => getSelection().selectAllChildren(document.querySelector(said))"
#: What axe-core calls serious enough to mend.
BAD = {"serious", "critical"}


@pytest.fixture(scope="module")
def benno(running: Console) -> None:
    """A colleague who reviews."""
    running.manage("shell", "-v", "0", "-c", BENNO)


@pytest.fixture
def parcel(running: Console) -> tuple[str, str]:
    """The address of a thread's page, and the key of its answer."""
    path, answer = running.manage("shell", "-v", "0", "-c", PARCEL).splitlines()[-1].split()
    return f"{running.url}{path}", answer


@pytest.fixture
def colleague(browser: Browser, running: Console, benno: None) -> Iterator[Page]:
    """Benno's browser."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(15_000)
    opened.goto(f"{running.url}/")
    opened.get_by_label("Username").fill("benno")
    opened.get_by_label("Password").fill(PASSWORD)
    opened.get_by_role("button", name="Log in").click()
    opened.wait_for_load_state()
    yield opened
    context.close()


def bad(page: Page) -> list[object]:
    found = Axe().run(page).response["violations"]
    return [
        (each["id"], node["target"], each["help"]) for each in found if each["impact"] in BAD for node in each["nodes"]
    ]


class TestTalk:
    def test_a_mention_leads_a_colleague_to_the_message(
        self, page: Page, colleague: Page, watched: Watched, parcel: tuple[str, str]
    ) -> None:
        url, answer = parcel
        page.goto(url)
        panel = page.get_by_role("complementary", name=re.compile("Comments on"))

        page.get_by_text("Hamburg").dblclick()
        page.get_by_role("button", name="Comment", exact=True).click()
        expect(panel.get_by_text("Hamburg")).to_be_visible()
        page.keyboard.type("Really from there, @ben")
        expect(page.get_by_role("option", name="@benno")).to_be_visible()
        page.keyboard.press("Enter")
        page.keyboard.type("?")
        page.keyboard.press("Control+Enter")

        expect(panel.get_by_text("Your comment is kept.")).to_be_visible()
        expect(panel.get_by_text("Really from there, @benno ?").first).to_be_visible()
        expect(page.get_by_role("link", name="Comments on message 2: 1")).to_be_visible()
        assert page.evaluate("[...CSS.highlights.get('k-comment')].map(String)") == ["Hamburg"]
        watched.assert_clean()

        colleague.reload()
        colleague.get_by_role("link", name="Notifications: 1 unread").click()
        colleague.get_by_role("button", name="admin mentions you in a comment", exact=True).click()
        colleague.wait_for_url(re.compile(rf"message={answer}.*#m-{answer}$"))
        there = colleague.get_by_role("complementary", name=re.compile("Comments on"))
        expect(there.get_by_text("Really from there, @benno ?")).to_be_visible()
        expect(colleague.get_by_role("link", name="Notifications", exact=True)).to_be_visible()

        there.get_by_text("Reply", exact=True).first.click()
        there.get_by_label("Your reply").fill("Yes, it is.")
        there.get_by_role("button", name="Reply").click()
        expect(there.get_by_text("Your reply is kept.")).to_be_visible()

    def test_by_keyboard_and_taken_back(self, page: Page, watched: Watched, parcel: tuple[str, str]) -> None:
        page.goto(parcel[0])
        panel = page.get_by_role("complementary", name=re.compile("Comments on"))

        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("m")
        expect(panel).to_be_focused()
        panel.get_by_label("New comment").fill("A passing thought")
        page.keyboard.press("Control+Enter")
        expect(panel.get_by_text("A passing thought").first).to_be_visible()
        mine = panel.get_by_role("listitem").filter(has_text="A passing thought")
        mine.get_by_role("button", name="Delete").click()
        expect(panel.get_by_text("A passing thought")).to_have_count(0)
        panel.get_by_role("button", name="Undo").last.click()
        expect(panel.get_by_text("A passing thought").first).to_be_visible()
        panel.get_by_role("button", name="Resolve").last.click()
        expect(panel.get_by_text("Resolved.")).to_be_visible()

        page.keyboard.press("Escape")
        expect(panel).to_have_count(0)
        watched.assert_clean()

    def test_words_of_two_paragraphs_and_their_marks(
        self, page: Page, watched: Watched, parcel: tuple[str, str]
    ) -> None:
        url, answer = parcel
        page.goto(url)
        panel = page.get_by_role("complementary", name=re.compile("Comments on"))

        page.evaluate(SELECT_ALL, f"#m-{answer} [data-said]")
        page.get_by_role("button", name="Comment", exact=True).click()
        expect(panel.get_by_label("New comment")).to_be_focused()
        page.keyboard.type("All of this?")
        page.keyboard.press("Control+Enter")

        expect(panel.get_by_text("Your comment is kept.")).to_be_visible()
        marked = "[...CSS.highlights.get('k-comment')].map(String)"
        assert page.evaluate(marked) == ["It left Hamburg this morning.\nIt is in Lyon now."]
        panel.get_by_role("button", name="Resolve").click()
        expect(panel.get_by_text("Resolved.")).to_be_visible()
        assert page.evaluate(marked) == []
        panel.get_by_role("button", name="Open again").click()
        expect(panel.get_by_text("Opened again.")).to_be_visible()
        assert len(page.evaluate(marked)) == 1
        panel.get_by_role("button", name="Delete").click()
        expect(panel.get_by_text("Deleted.").first).to_be_visible()
        assert page.evaluate(marked) == []
        watched.assert_clean()

    def test_by_a_key_of_ones_own(self, page: Page, running: Console, parcel: tuple[str, str]) -> None:
        running.manage("shell", "-v", "0", "-c", KEPT_KEY.format("c"))
        panel = page.get_by_role("complementary", name=re.compile("Comments on"))
        try:
            page.goto(parcel[0])
            page.keyboard.press("j")
            page.keyboard.press("?")
            expect(page.locator("#c-keys")).to_be_visible()
            page.keyboard.press("c")
            page.keyboard.press("?")
            page.keyboard.press("m")
            expect(panel).to_have_count(0)

            page.keyboard.press("c")
            expect(panel).to_be_focused()
        finally:
            running.manage("shell", "-v", "0", "-c", KEPT_KEY.format("m"))

    def test_on_a_phone_they_are_below_the_message(self, page: Page, parcel: tuple[str, str]) -> None:
        url, answer = parcel
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto(url)

        page.locator(f"[data-comments='{answer}']").click()

        panel, text = page.locator("#k-panel"), page.locator(f"#m-{answer} [data-said]")
        expect(panel).to_be_visible()
        below, above = panel.bounding_box(), text.bounding_box()
        assert below is not None
        assert above is not None
        assert below["y"] >= above["y"] + above["height"]
        assert page.evaluate("document.documentElement.scrollWidth") <= 390

    def test_without_scripts_the_forms_work(self, page: Page, parcel: tuple[str, str]) -> None:
        url, answer = parcel
        page.route("**/comments*.js", lambda route: route.abort())
        page.goto(url)

        page.locator(f"[data-comments='{answer}']").click()
        page.get_by_label("New comment").fill("Without a script")
        page.get_by_role("button", name="Comment", exact=True).click()

        expect(page.locator("#k-panel").get_by_text("Without a script").first).to_be_visible()

    def test_without_scripts_what_was_refused_is_in_sight_with_the_reason(
        self, page: Page, parcel: tuple[str, str]
    ) -> None:
        url, answer = parcel
        page.route("**/comments*.js", lambda route: route.abort())
        page.goto(url)
        page.locator(f"[data-comments='{answer}']").click()
        field = page.get_by_label("New comment")
        field.evaluate("each => each.removeAttribute('maxlength')")
        field.fill("Long " * 1001)

        page.get_by_role("button", name="Comment", exact=True).click()

        expect(page.get_by_role("alert").filter(has_text="at most 5,000 characters")).to_be_in_viewport()
        expect(page.get_by_label("New comment")).to_have_value("Long " * 1001)


class TestDrafts:
    """What somebody is writing stays, whatever happens."""

    def test_stay_whatever_else_is_done(self, page: Page, watched: Watched, parcel: tuple[str, str]) -> None:
        url, answer = parcel
        page.goto(url)
        panel = page.get_by_role("complementary", name=re.compile("Comments on"))
        new = panel.get_by_label("New comment")
        page.locator(f"[data-comments='{answer}']").click()
        new.fill("First")
        page.keyboard.press("Control+Enter")
        expect(panel.get_by_text("Your comment is kept.")).to_be_visible()
        expect(new).to_have_value("")

        panel.get_by_text("Edit", exact=True).click()
        panel.get_by_label("Your comment").fill("Half an edit")
        new.fill("Half a thought")
        page.keyboard.press("Escape")
        expect(panel).to_be_focused()
        panel.get_by_role("button", name="Resolve").click()
        expect(panel.get_by_text("Resolved.")).to_be_visible()
        expect(new).to_have_value("Half a thought")
        expect(panel.get_by_label("Your comment")).to_have_value("Half an edit")

        page.locator(f"[data-comments]:not([data-comments='{answer}'])").first.click()
        expect(new).to_have_value("")
        page.keyboard.press("Escape")
        expect(panel).to_have_count(0)
        page.locator(f"[data-comments='{answer}']").click()
        expect(new).to_have_value("Half a thought")
        watched.assert_clean()

    def test_stay_when_a_reply_comes_too_late(
        self, page: Page, colleague: Page, watched: Watched, parcel: tuple[str, str]
    ) -> None:
        url, answer = parcel
        page.goto(f"{url}?comments={answer}")
        panel = page.locator("#k-panel")
        panel.get_by_label("New comment").fill("First")
        page.keyboard.press("Control+Enter")
        expect(panel.get_by_text("Your comment is kept.")).to_be_visible()
        panel.get_by_text("Reply", exact=True).first.click()
        panel.get_by_label("Your reply").fill("My long reply")
        colleague.goto(f"{url}?comments={answer}")
        colleague.get_by_role("button", name="Resolve").click()
        expect(colleague.get_by_text("Resolved.")).to_be_visible()

        page.keyboard.press("Control+Enter")

        expect(panel.get_by_role("alert")).to_contain_text("benno resolved this comment meanwhile.")
        expect(panel.get_by_label("New comment")).to_have_value("My long reply")
        watched.assert_clean()

    @pytest.mark.parametrize(
        ("answer_with", "said"),
        [
            (lambda route: route.fulfill(status=403, body="no"), "You may not do this any more"),
            (lambda route: route.fulfill(status=500, body="no"), "The server could not do it."),
            (lambda route: route.abort(), "The server did not answer."),
        ],
    )
    def test_stay_when_the_server_refuses(
        self, page: Page, parcel: tuple[str, str], answer_with: Callable[[Route], None], said: str
    ) -> None:
        url, answer = parcel
        page.goto(f"{url}?comments={answer}")
        page.route("**/comments/act/", answer_with)
        panel = page.locator("#k-panel")
        panel.get_by_label("New comment").fill("My long thoughts")

        page.keyboard.press("Control+Enter")
        expect(panel.get_by_role("alert")).to_contain_text(said)
        expect(panel.get_by_label("New comment")).to_have_value("My long thoughts")
        page.unroute("**/comments/act/")
        panel.get_by_role("button", name="Comment", exact=True).click()

        expect(panel.get_by_text("Your comment is kept.")).to_be_visible()

    def test_stay_when_the_session_has_ended(self, page: Page, parcel: tuple[str, str]) -> None:
        url, answer = parcel
        page.goto(f"{url}?comments={answer}")
        panel = page.locator("#k-panel")
        panel.get_by_label("New comment").fill("My long thoughts")
        page.context.clear_cookies(name=re.compile("session"))

        page.locator(f"[data-comments]:not([data-comments='{answer}'])").first.click()

        expect(panel.get_by_role("alert")).to_contain_text("You are signed out.")
        expect(panel.get_by_label("New comment")).to_have_value("My long thoughts")


class TestAccessibility:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_axe_finds_nothing_serious(
        self, page: Page, running: Console, parcel: tuple[str, str], scheme: str
    ) -> None:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        url, answer = parcel
        page.goto(f"{url}?comments={answer}")
        expect(page.locator("#k-panel")).to_be_visible()
        found = {"transcript": bad(page)}
        for door in ("notification/", "notification/choices/", "webhook/", "webhook/add/", "webhookdelivery/"):
            page.goto(f"{running.url}/admin/ai/{door}")
            found[door] = bad(page)

        assert {door: said for door, said in found.items() if said} == {}
