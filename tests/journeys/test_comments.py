"""Somebody comments on some words and mentions a colleague, who finds the way there; and what axe-core says of the pages."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

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
