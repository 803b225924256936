"""What pages can do by key: each action with the key it comes with, and the keys that a person has chosen instead.

A key is written as the browser names it (`KeyboardEvent.key`): “j”, “?”, “F2”, “Ctrl+Enter”, “Alt+ArrowDown”. An action may
have none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ai.exceptions import InvalidInput
from ai.models import PersonKeys
from ai.services import actors
from ai.services.triage import rules


@dataclass(frozen=True)
class Action:
    """One thing that a page does: its name, what it does in words, and the key it comes with."""

    name: str
    words: str
    key: str
    #: What several actions do that are told of in one line.
    together: str = ""


@dataclass(frozen=True)
class Page:
    """Actions that are on one page together, so that no two may have the same key."""

    name: str
    title: str
    actions: tuple[Action, ...]


SEVERITIES = "Severity: critical, high, medium, low"
ANSWERS = "Answer the question that is marked"
INBOX = Page(
    "inbox",
    "Feedback inbox",
    (
        Action("next", "The next card", "j"),
        Action("previous", "The previous card", "k"),
        Action("pick", "Choose the card; the next key does it to all chosen ones", "x"),
        Action("assign", "Assign to me", "a"),
        Action("triage", "Triaged", "t"),
        Action("snooze", "Snooze, for as long as is chosen beside the button", "s"),
        Action("resolve", "Resolve", "e"),
        Action("dismiss", "Won't fix", "w"),
        Action("open", "Back to new", "o"),
        Action("severity_1", "Severity: critical", "1", SEVERITIES),
        Action("severity_2", "Severity: high", "2", SEVERITIES),
        Action("severity_3", "Severity: medium", "3", SEVERITIES),
        Action("severity_4", "Severity: low", "4", SEVERITIES),
        Action("label", "Write a label", "l"),
        Action("note", "Write a note", "n"),
        Action("suggested", "Confirm the suggested labels one by one", "y"),
        Action("merge", "Merge duplicates", "m"),
        Action("undo", "Take back what I did last", "z"),
        Action("keys", "Show and hide the keys", "?"),
    ),
)
REVIEW = Page(
    "review",
    "Reviews (focus mode)",
    (
        *(
            # 0 is the tenth, where it is on the keyboard.
            Action(f"answer_{number}", f"Answer {number} of the question that is marked", str(number % 10), ANSWERS)
            for number in range(1, 11)
        ),
        Action("submit", "Submit, and open the next item", "Ctrl+Enter"),
        Action("next", "The next message", "j"),
        Action("previous", "The previous message", "k"),
        Action("unfold", "Unfold and fold what is folded", "e"),
        Action("pass", "Skip: the item goes to others", "s"),
        Action("undo", "Take back what I did last", "u"),
        Action("keys", "Show and hide the keys", "?"),
    ),
)
THREAD = Page(
    "thread",
    "Transcripts",
    (
        Action("next", "The next message", "j"),
        Action("previous", "The previous message", "k"),
        Action("unfold", "Unfold and fold what is folded", "e"),
        Action("older", "The older thread", "n"),
        Action("newer", "The newer thread", "u"),
        Action("replay", "Replay on other models", "r"),
        Action("comment", "Comment on the words that are selected, or on the message", "m"),
        Action("keys", "Show and hide the keys", "?"),
    ),
)
COMPARE = Page(
    "compare",
    "Replays side by side",
    (
        Action("diff", "Differences, or the answers as they are", "x"),
        Action("unfold", "Unfold and fold what is folded", "e"),
        Action("replay", "Replay again", "r"),
        Action("keys", "Show and hide the keys", "?"),
    ),
)
DECIDE = Page(
    "decide",
    "Disputed reviews",
    (
        Action("next", "The next message", "j"),
        Action("previous", "The previous message", "k"),
        Action("unfold", "Unfold and fold what is folded", "e"),
        Action("keys", "Show and hide the keys", "?"),
    ),
)
PAGES: Mapping[str, Page] = {page.name: page for page in (INBOX, REVIEW, THREAD, COMPARE, DECIDE)}

_MODIFIERS = ("Ctrl", "Alt", "Meta", "Shift")
_NAMED = frozenset(
    {"Enter", "Space", "Home", "End", "PageUp", "PageDown", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"}
)
_FUNCTION = re.compile(r"F([1-9]|1[0-2])")

#: What the console has on all of its pages: the search of lists, the palette, and saving a form.
OF_THE_CONSOLE = frozenset({"/", "Ctrl+k", "Ctrl+e", "Meta+k", "Meta+e"})

#: What browsers keep for themselves, or what everybody expects of them: with Ctrl, and with Meta where that is its key.
_OF_BROWSERS = frozenset("acdfghjlnopqrstuvwxyz0+-=,") | {"PageUp", "PageDown", "Home", "End"}
_ALONE = frozenset({"F1", "F3", "F5", "F6", "F7", "F10", "F11", "F12"})
_WITH_ALT = frozenset({"F4", "Space", "Home", "ArrowLeft", "ArrowRight", "d", "e", "f"})


def in_force(page: str, *, by: Any) -> dict[str, str]:
    """Action → key on one page, as this person has them; "" is none. One query."""
    return _of_page(PAGES[page], _known(PersonKeys.objects.of(actors.id_of(by))))


def every(*, by: Any) -> dict[str, dict[str, str]]:
    """The same of all pages. One query."""
    chosen = _known(PersonKeys.objects.of(actors.id_of(by)))
    return {name: _of_page(page, chosen) for name, page in PAGES.items()}


def told(page: str, keys: Mapping[str, str]) -> list[tuple[list[str], str]]:
    """(keys, what they do) of a page, as its dialog tells them: actions that have no key are left out."""
    found: dict[str, list[str]] = {}
    for action in PAGES[page].actions:
        if key := keys.get(action.name):
            found.setdefault(action.together or action.words, []).append(key)
    return [(pressed, words) for words, pressed in found.items()]


def fixed(page: str) -> dict[str, str]:
    """Keys of a page that nobody can choose, since the installation has set them: key → what it does."""
    return {macro.key: macro.name for macro in rules.macros() if macro.key} if page == INBOX.name else {}


def keep(given: Mapping[str, str], *, by: Any) -> None:
    """Keep a person's keys: “page.action” → key, "" for none. What is not given stays as it comes.

    Raises:
        InvalidInput: a key is none, or cannot be used, or two actions of a page have the same; `param` says which action.
    """
    chosen = {name: normal(key) for name, key in given.items() if name in _DEFAULTS}
    for name, key in chosen.items():
        if wrong := problem(key):
            raise InvalidInput(f"“{key[:30]}” cannot be used: {wrong}", param=name)
    changed = {name: key for name, key in chosen.items() if key != _DEFAULTS[name]}
    for page in PAGES.values():
        for first, second, key in _conflicts(page, chosen):
            raise InvalidInput(f"“{key}” is the key of two things: {first} — and — {second}.", param=page.name)
    PersonKeys.objects.keep(actors.id_of(by), changed)


def reset(*, by: Any) -> None:
    """Give this person the keys as they come."""
    PersonKeys.objects.keep(actors.id_of(by), {})


def normal(key: str) -> str:
    """The key as it is kept: the modifiers in one order, and without spaces around."""
    parts = key.strip().replace("\x00", "")
    found = []
    while True:
        name = next((each for each in _MODIFIERS if parts.lower().startswith(f"{each.lower()}+")), None)
        if name is None or len(parts) == len(name) + 1:
            break
        found.append(name)
        parts = parts[len(name) + 1 :]
    named = {each.lower(): each for each in _NAMED}
    parts = named.get(parts.lower(), parts.upper() if _FUNCTION.fullmatch(parts.upper()) else parts)
    return "".join(f"{name}+" for name in _MODIFIERS if name in found) + parts


def problem(key: str) -> str:
    """Why an action cannot have this key; "" when it can, or when it is none."""
    if not key:
        return ""
    *held, last = _split(key)
    if not _is_key(last):
        return "a key is one letter, digit or sign, a function key, or a key like Enter together with Ctrl or Alt."
    if key in OF_THE_CONSOLE:
        return "the console has it on every page."
    if "Shift" in held and len(last) == 1:
        return "write the letter or sign that Shift makes, such as “J” or “?”."
    if _is_of_browsers(held, last):
        return "browsers keep it for themselves."
    return ""


def _split(key: str) -> list[str]:
    held = []
    for name in _MODIFIERS:
        if key.startswith(f"{name}+") and len(key) > len(name) + 1:
            held.append(name)
            key = key[len(name) + 1 :]
    return [*held, key]


def _is_key(last: str) -> bool:
    if len(last) == 1:
        return not last.isspace() and unicodedata.category(last)[0] not in "CZM"
    return last in _NAMED or _FUNCTION.fullmatch(last) is not None


def _is_of_browsers(held: list[str], last: str) -> bool:
    """Whether the browser, or the element in focus, needs it."""
    strong = {"Ctrl", "Meta"} & set(held)
    if strong:
        return last.lower() in _OF_BROWSERS or last in _OF_BROWSERS or last in _ALONE or last.isdigit()
    if "Alt" in held:
        return last in _WITH_ALT or last.isdigit()
    return last in _NAMED or last in _ALONE


def _of_page(page: Page, chosen: Mapping[str, str]) -> dict[str, str]:
    """What is chosen goes before what comes with the page: a later version may come with a key that is taken."""
    mine = {action.name: chosen.get(f"{page.name}.{action.name}") for action in page.actions}
    taken = {key for key in mine.values() if key}
    found = {}
    for action in page.actions:
        key = mine[action.name]
        found[action.name] = key if key is not None else "" if action.key in taken else action.key
    return found


def _conflicts(page: Page, chosen: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """(words, words, key) of actions with the same key, of which somebody has chosen one; what they come with is ours."""
    seen = {key: (words, False) for key, words in fixed(page.name).items()}
    for action in page.actions:
        key = chosen.get(f"{page.name}.{action.name}", action.key)
        words, was_chosen = seen.get(key, ("", False))
        is_chosen = key != action.key
        if key and words and (is_chosen or was_chosen):
            yield words, action.words, key
        seen[key] = (action.words, is_chosen)


def _known(kept: Mapping[str, Any]) -> dict[str, str]:
    """What was kept, without actions that are no more and keys that cannot be used."""
    return {name: key for name, key in kept.items() if name in _DEFAULTS and isinstance(key, str) and not problem(key)}


_DEFAULTS = {f"{page.name}.{action.name}": action.key for page in PAGES.values() for action in page.actions}
