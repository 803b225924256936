"""Keys: what pages can do by key, and what people choose instead."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from ai.exceptions import InvalidInput
from ai.models import PersonKeys
from ai.services import actors, keys
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana(db: None) -> Any:
    return factories.staff("view_feedback")


class TestAsTheyCome:
    @pytest.mark.parametrize("page", keys.PAGES)
    def test_each_can_be_chosen_and_is_there_once(self, page: str) -> None:
        found = [action.key for action in keys.PAGES[page].actions]

        assert len(set(found)) == len(found)
        assert [key for key in found if keys.problem(key) or keys.normal(key) != key] == []

    def test_are_in_force_for_who_chose_none(self, ana: Any) -> None:
        found = keys.in_force("review", by=ana)

        assert (found["submit"], found["next"], found["undo"]) == ("Ctrl+Enter", "j", "u")
        assert [found[f"answer_{number}"] for number in (1, 9, 10)] == ["1", "9", "0"]

    def test_are_told_in_the_dialog_with_what_belongs_together(self, ana: Any) -> None:
        told = keys.told("inbox", keys.in_force("inbox", by=ana))

        assert (["j"], "The next card") in told
        assert (["1", "2", "3", "4"], keys.SEVERITIES) in told


class TestKeep:
    def test_keeps_what_is_another_than_it_comes_with(self, ana: Any) -> None:
        keys.keep({"inbox.resolve": "d", "inbox.next": "j", "inbox.merge": ""}, by=ana)

        assert PersonKeys.objects.of(actors.id_of(ana)) == {"inbox.resolve": "d", "inbox.merge": ""}
        with CaptureQueriesContext(connection) as seen:
            found = keys.in_force("inbox", by=ana)
        assert (found["resolve"], found["merge"], found["next"]) == ("d", "", "j")
        assert len(seen) == 1

    def test_is_of_one_person(self, ana: Any) -> None:
        keys.keep({"inbox.resolve": "d"}, by=ana)

        assert keys.in_force("inbox", by=factories.staff())["resolve"] == "e"

    def test_lets_two_actions_change_keys(self, ana: Any) -> None:
        keys.keep({"inbox.next": "k", "inbox.previous": "j"}, by=ana)

        found = keys.in_force("inbox", by=ana)
        assert (found["next"], found["previous"]) == ("k", "j")

    @pytest.mark.parametrize("given", [{"inbox.resolve": "a"}, {"inbox.resolve": "d", "inbox.note": "d"}])
    def test_refuses_one_key_for_two_things_of_a_page(self, ana: Any, given: dict[str, str]) -> None:
        with pytest.raises(InvalidInput, match="two things"):
            keys.keep(given, by=ana)
        assert not PersonKeys.objects.exists()

    def test_takes_one_key_for_things_of_two_pages(self, ana: Any) -> None:
        keys.keep({"inbox.resolve": "r", "thread.replay": "r"}, by=ana)

        assert keys.in_force("inbox", by=ana)["resolve"] == "r"

    @override_settings(AI_FEEDBACK_MACROS=[{"name": "Known bug", "key": "b"}])
    def test_refuses_the_key_of_a_macro(self, ana: Any) -> None:
        with pytest.raises(InvalidInput, match="Known bug"):
            keys.keep({"inbox.resolve": "b"}, by=ana)

    @override_settings(AI_FEEDBACK_MACROS=[{"name": "Known bug", "key": "e"}])
    def test_does_not_blame_people_for_what_the_installation_set(self, ana: Any) -> None:
        keys.keep({"inbox.next": "d"}, by=ana)

        assert keys.in_force("inbox", by=ana)["next"] == "d"

    @pytest.mark.parametrize(
        "key",
        [
            "Tab",
            "Escape",
            "Enter",
            "Space",
            "ArrowDown",
            "Ctrl+t",
            "Ctrl+T",
            "Ctrl+w",
            "Meta+n",
            "F5",
            "Alt+F4",
            "/",
            "Ctrl+k",
            "ab",
            "Ctrl+",
            "\u202e",
            "\x07",
            "Shift+a",
            "<b>",
            "Ctrl+1",
            "Alt+ArrowLeft",
            "Hyper+x",
        ],
    )
    def test_refuses_what_is_no_key_or_not_free(self, ana: Any, key: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            keys.keep({"inbox.resolve": key}, by=ana)
        assert refused.value.param == "inbox.resolve"

    @pytest.mark.parametrize(
        ("said", "kept"),
        [
            ("ctrl+enter", "Ctrl+Enter"),
            ("Alt+Ctrl+x", "Ctrl+Alt+x"),
            ("F2", "F2"),
            ("f2", "F2"),
            ("Ctrl++", "Ctrl++"),
            ("J", "J"),
            ("é", "é"),
            (";", ";"),
            ("+", "+"),
            ("Shift+F2", "Shift+F2"),
            ("alt+arrowdown", "Alt+ArrowDown"),
        ],
    )
    def test_writes_keys_in_one_way(self, said: str, kept: str) -> None:
        assert keys.normal(said) == kept

    def test_passes_over_actions_that_there_are_not(self, ana: Any) -> None:
        keys.keep({"inbox.explode": "d", "x": "y"}, by=ana)

        assert not PersonKeys.objects.exists()

    def test_reset_gives_them_as_they_come(self, ana: Any) -> None:
        keys.keep({"inbox.resolve": "d"}, by=ana)

        keys.reset(by=ana)

        assert keys.in_force("inbox", by=ana)["resolve"] == "e"
        assert not PersonKeys.objects.exists()


class TestWhatWasKept:
    def test_is_read_with_care(self, ana: Any) -> None:
        PersonKeys.objects.keep(
            actors.id_of(ana),
            {"inbox.next": "Tab", "inbox.gone": "q", "inbox.pick": 7, "inbox.note": "q"},  # type: ignore[dict-item]
        )

        found = keys.in_force("inbox", by=ana)

        assert (found["next"], found["pick"], found["note"]) == ("j", "x", "q")
        assert "gone" not in found

    def test_goes_before_a_key_that_a_later_version_comes_with(self, ana: Any) -> None:
        PersonKeys.objects.keep(actors.id_of(ana), {"inbox.resolve": "m"})

        found = keys.in_force("inbox", by=ana)

        assert (found["resolve"], found["merge"]) == ("m", "")
