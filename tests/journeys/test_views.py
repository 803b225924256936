"""A list as one likes it, shared with a colleague; who else is looking; and keys of one's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import Watched
from tests.journeys.running import Console

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

TENANT, COLLEAGUE, PASSWORD = "Shared views", "berta", "a-long-password-for-berta"
SETUP = f"""
from django.contrib.auth.models import Group, User
from django.utils import timezone
from ai import tenancy
from ai.models import ChatThread, Message, Tenant, TenantMembership
from ai.services import actors
from ai.services.reviews import queues
from ai.services.selections import Selection

tenant = Tenant.objects.get(name="{TENANT}")
user = User.objects.create_user("{COLLEAGUE}", password="{PASSWORD}", is_staff=True, first_name="Berta", last_name="Kohl")
user.groups.add(Group.objects.get(name="Lead"))
TenantMembership.objects.create(user=user, tenant_id=tenant.pk)
with tenancy.scope(tenant.pk):
    rows = list(ChatThread.objects.order_by("pk"))
    ChatThread.objects.filter(pk=rows[0].pk).update(user_id="cora")
    for number, row in enumerate([each for each in Message.objects.all() if each.role == "assistant"][:4]):
        row.add_feedback({{"rating": "down", "comment": f"Case {{number}} is wrong"}}, f"reader {{number}}")
    questions = [{{"id": "fine", "type": "yes_no", "text": "Is it fine?"}}]
    made = queues.make(
        name="By key", unit="thread", questions=questions, tenant_id=tenant.pk, by=actors.SYSTEM, at=timezone.now()
    )
    chosen = Selection.of_list("threads", {{}})
    queues.fill(queue_id=made.pk, selection=chosen, sample=3, by=actors.SYSTEM, at=timezone.now())
print(tenant.pk, rows[0].pk, made.pk)
"""
#: What axe-core calls serious enough to mend.
BAD = {"serious", "critical"}


@pytest.fixture(scope="module")
def made(running: Console) -> tuple[str, str, str]:
    """The ids of a tenant with a dozen threads, of one of these, and of a review queue."""
    running.manage("generate_load", "--threads", "12", "--messages", "120", "--seed", "7", "--tenant", TENANT)
    tenant, thread, queue = running.manage("shell", "-v", "0", "-c", SETUP).splitlines()[-1].split()
    return tenant, thread, queue


@pytest.fixture
def colleague(browser: Browser, running: Console, made: tuple[str, str, str]) -> Iterator[Page]:
    """The page of somebody else of the tenant."""
    with _signed_in(browser, running) as opened:
        yield opened


@contextmanager
def _signed_in(browser: Browser, running: Console) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(15_000)
    opened.goto(f"{running.url}/")
    opened.get_by_label("Username").fill(COLLEAGUE)
    opened.get_by_label("Password").fill(PASSWORD)
    opened.get_by_role("button", name="Log in").click()
    opened.wait_for_load_state()
    yield opened
    context.close()


def headings(page: Page) -> list[str]:
    page.wait_for_load_state()  # its address is there before its list
    found = page.locator("#result_list thead th").all_inner_texts()
    return [text.strip() for text in found if text.strip()]


def problems(page: Page) -> list[Any]:
    found = Axe().run(page).response["violations"]
    return [(each["id"], node["target"]) for each in found if each["impact"] in BAD for node in each["nodes"]]


class TestViews:
    def test_saved_opened_first_and_shared_by_address(
        self, page: Page, colleague: Page, watched: Watched, running: Console, made: tuple[str, str, str]
    ) -> None:
        tenant, _, _ = made
        threads = f"{running.url}/admin/ai/chatthread/"
        page.goto(f"{threads}?tenant={tenant}&user=cora")

        page.get_by_role("button", name="Columns").click()
        for name in ("Tags", "Model", "Feedback", "Remote", "Tenant"):
            page.get_by_role("checkbox", name=name, exact=True).uncheck()
        page.get_by_role("button", name="Move Last activity forward").focus()
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Show these").click()
        expect(page).to_have_url(re.compile("columns="))
        assert headings(page) == ["Title", "User", "Last activity", "Messages"]

        page.get_by_role("button", name="Views").click()
        assert problems(page) == []
        page.get_by_label("Name of the new view").fill("Cora's")
        page.get_by_label("Share with the tenant's people").check()
        page.get_by_label("Tenant to share with").select_option(tenant)
        page.get_by_role("button", name="Save view").click()
        expect(page.get_by_text("View: Cora's")).to_be_visible()
        page.get_by_role("button", name="Views").click()
        page.get_by_role("button", name="Make it my default").click()

        page.goto(threads)
        expect(page.get_by_text("View: Cora's")).to_be_visible()
        assert headings(page) == ["Title", "User", "Last activity", "Messages"]
        assert page.locator("#result_list tbody tr").count() == 1
        address = re.sub(r".*(view=[0-9a-f-]+).*", rf"{threads}?\1", page.url)
        page.get_by_role("link", name=re.compile("leave the view")).click()
        expect(page).to_have_url(re.compile(r"\?view=all$"))
        assert len(headings(page)) > 6

        page.get_by_role("button", name="Views").click()
        page.get_by_role("button", name="Open with all again").click()
        page.goto(threads)
        assert len(headings(page)) > 6

        colleague.goto(address)
        expect(colleague.get_by_text("View: Cora's")).to_be_visible()
        assert headings(colleague) == ["Title", "User", "Last activity", "Messages"]
        colleague.goto(threads)
        assert len(headings(colleague)) > 5
        watched.assert_clean()

    def test_the_menus_work_without_scripts(self, page: Page, running: Console) -> None:
        page.route("**/views*.js", lambda route: route.abort())
        page.goto(f"{running.url}/admin/ai/run/?view=all")

        page.get_by_role("button", name="Columns").click()
        page.get_by_role("checkbox", name="Thread", exact=True).uncheck()
        page.get_by_role("button", name="Show these").click()

        expect(page).to_have_url(re.compile("columns="))
        assert "Thread" not in headings(page)


class TestPresence:
    def test_two_people_see_each_other_until_one_leaves(
        self, page: Page, colleague: Page, watched: Watched, running: Console, made: tuple[str, str, str]
    ) -> None:
        _, thread, _ = made
        url = f"{running.url}/admin/ai/chatthread/{thread}/change/"
        page.goto(url)

        with colleague.expect_response(re.compile(r"/here/$")):
            colleague.goto(url)
        expect(colleague.get_by_role("status").filter(has_text="admin is viewing")).to_be_visible()
        page.goto(url)
        expect(page.get_by_role("status").filter(has_text="Berta Kohl is viewing")).to_be_visible()
        assert problems(page) == []

        colleague.goto(f"{running.url}/admin/ai/chatthread/?view=all")
        page.goto(url)
        page.wait_for_timeout(1500)
        expect(page.get_by_text("is viewing")).to_have_count(0)
        watched.assert_clean()

    def test_follows_the_cards_of_the_inbox(
        self, page: Page, colleague: Page, watched: Watched, running: Console, made: tuple[str, str, str]
    ) -> None:
        inbox = f"{running.url}/admin/ai/feedback/inbox/?tenant={made[0]}&state=all"
        colleague.goto(inbox)
        expect(colleague.locator("[data-here]")).to_have_count(1)
        with page.expect_response(re.compile(r"/here/$")):
            page.goto(inbox)
        expect(page.get_by_text("Berta Kohl is viewing")).to_be_visible()

        with page.expect_response(re.compile(r"/here/$")):
            page.keyboard.press("j")

        expect(page.get_by_text("is viewing")).to_have_count(0)
        watched.assert_clean()


class TestKeys:
    def test_chosen_ones_work_in_the_inbox_and_in_focus_mode(
        self, page: Page, watched: Watched, running: Console, made: tuple[str, str, str]
    ) -> None:
        tenant, _, queue = made
        page.goto(f"{running.url}/admin/ai/chatthread/keyboard/")
        assert problems(page) == []
        self.press(page, "inbox", "Resolve", "a")
        expect(page.get_by_text("“Assign to me” has this key, too.")).to_be_visible()
        self.press(page, "inbox", "Resolve", "d")
        expect(page.get_by_text("has this key, too.")).to_have_count(0)
        self.press(page, "review", "Submit, and open the next item", "Alt+Enter")
        self.press(page, "review", "The next message", "n")
        page.get_by_role("button", name="Save keys").click()
        expect(page.get_by_text("Your keys are kept.")).to_be_visible()

        page.goto(f"{running.url}/admin/ai/feedback/inbox/?tenant={tenant}&rating=down")
        before = page.locator("#i-page").get_attribute("data-item")
        page.keyboard.press("e")
        page.wait_for_timeout(500)
        assert page.locator("#i-page").get_attribute("data-item") == before
        page.keyboard.press("d")
        page.wait_for_function("was => document.getElementById('i-page').dataset.item !== was", arg=before)
        page.keyboard.press("?")
        expect(page.get_by_role("definition").filter(has_text="Resolve")).to_be_visible()
        expect(page.get_by_role("term").filter(has_text=re.compile("^d$"))).to_be_visible()

        page.goto(f"{running.url}/admin/ai/reviewqueue/{queue}/change/")
        page.get_by_role("button", name="Start reviewing").click()
        page.wait_for_selector("#r-form")
        slot = page.locator("#r-page").get_attribute("data-slot")
        page.keyboard.press("n")
        first = page.evaluate("document.activeElement.id")
        page.keyboard.press("n")
        second = page.evaluate("document.activeElement.id")
        page.keyboard.press("k")
        assert first.startswith("m-")
        assert second.startswith("m-")
        assert second != first
        assert page.evaluate("document.activeElement.id") == first
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("1")
        page.keyboard.press("Control+Enter")
        page.wait_for_timeout(500)
        assert page.locator("#r-page").get_attribute("data-slot") == slot
        page.keyboard.press("Alt+Enter")
        page.wait_for_function("was => document.getElementById('r-page').dataset.slot !== was", arg=slot)
        page.keyboard.press("u")
        page.wait_for_function("was => document.getElementById('r-page').dataset.slot === was", arg=slot)

        page.goto(f"{running.url}/admin/ai/chatthread/keyboard/")
        page.get_by_role("button", name="Reset all").click()
        expect(page.get_by_text("The keys are as they come.")).to_be_visible()
        watched.assert_clean()

    def press(self, page: Page, part: str, action: str, key: str) -> None:
        """Go to the field of an action and press the key."""
        page.locator(f"#{part}").get_by_label(action, exact=True).focus()
        page.keyboard.press(key)
