"""What API keys may do."""

from __future__ import annotations

import pytest

from ai.models.api_keys import SCOPES
from ai.services.actors import KeyActor

READS = [
    "view_feedback",
    "view_reviewqueue",
    "view_chatthread",
    "view_assistant",
    "download_datasource",
    "search_vectorstore",
]
CONVERSES = ["add_chatthread", "change_message", "delete_run", "cancel_run", "add_datasource", "change_vectorstore"]
MANAGES = ["add_assistant", "change_assistant", "delete_assistant"]
FEEDBACK = ["view_feedback", "add_feedback", "change_feedback"]
REVIEWS = ["view_reviewqueue", "add_reviewqueue", "change_reviewqueue"]
NEVER = [
    "review_reviewqueue",
    "adjudicate_reviewqueue",
    "delete_feedback",
    "export_feedback",
    "add_apikey",
    "revoke_apikey",
    "change_tenant",
    "replay_run",
    "change_languagemodel",
    "export_run",
    "change_user",
]


def allowed(*scopes: str) -> set[str]:
    actor = KeyActor("key:1", "API key", frozenset(scopes))
    return {
        name for name in [*READS, *CONVERSES, *MANAGES, *FEEDBACK, *REVIEWS, *NEVER] if actor.has_perm(f"ai.{name}")
    }


@pytest.mark.parametrize(
    ("scope", "may"),
    [("read", READS), ("write", READS + CONVERSES), ("admin", READS + CONVERSES + MANAGES), ("nothing", [])],
)
def test_each_scope_allows_what_the_one_before_does_and_more(scope: str, may: list[str]) -> None:
    assert allowed(scope) == set(may)


@pytest.mark.parametrize(("scope", "may"), [("feedback", FEEDBACK), ("reviews", REVIEWS)])
def test_the_others_allow_their_own_and_read_no_conversation(scope: str, may: list[str]) -> None:
    assert allowed(scope) == set(may)


def test_all_together_allow_what_each_does() -> None:
    assert allowed(*SCOPES) == {*READS, *CONVERSES, *MANAGES, *FEEDBACK, *REVIEWS}


def test_nothing_of_another_app_is_allowed() -> None:
    assert not KeyActor("key:1", "API key", frozenset({"admin"})).has_perm("auth.view_user")
