"""Whether what a model answered is a title: what it says may be led astray by what it read, or may be nonsense."""

from __future__ import annotations

import json
import re
from typing import Any

from ai.services.titling import languages, phrases
from ai.services.titling.conversations import Conversation
from ai.services.titling.text import MOST_WORDS, capital, count_words, has_words, tidy, word_list

#: A title of a few words too many is shortened; more is not a title.
FEW_TOO_MANY = 9
MOST_ANSWER = 400

_GENERIC = word_list(
    "title untitled conversation chat thread message messages text string summary question answer user assistant system "
    "result output response none null n/a unknown topic subject undefined example test"
) | {
    "new chat",
    "new conversation",
    "short title",
    "the title",
    "a short title",
    "conversation title",
    "chat title",
    "thread title",
    "title of conversation",
    "title of the conversation",
    "user question",
    "no title",
    "your title here",
    "customer service",
}
#: Words of the request itself, and of refusals: not in a title unless the conversation has them.
_ECHOES = (
    "at most five words",
    "five words",
    "conversation's language",
    "language of the conversation",
    "title of the",
    "title for",
    "short title",
    "quoted data",
    "predict",
    "marktask",
    "json",
    "system prompt",
    "instructions",
    "as an ai",
    "i cannot",
    "i can't",
    "i'm sorry",
    "i am sorry",
    "unable to",
    "speaker",
)
_SPEAKER = re.compile(r"^(?:user|assistant|speaker|ai|bot)\s*:\s*", re.IGNORECASE)
_LINES = re.compile(r"[\r\n\u2028\u2029]+")


def fit(answer: Any, conversation: Conversation, *, strict: bool = False) -> str:
    """The answer as a title of one to five words, at most 60 characters; empty when it is none.

    `strict` is for models that make things up: half of the title's words have to be in the conversation.
    """
    line = _line(str(answer if answer is not None else ""))
    title = tidy(_SPEAKER.sub("", tidy(line)))
    if count_words(title) > MOST_WORDS:
        title = tidy(phrases.of_text(title)[0]) if count_words(title) <= FEW_TOO_MANY else ""
    if not has_words(title) or count_words(title) > MOST_WORDS or len(title.split()) > MOST_WORDS:
        return ""
    wrong = _is_empty_talk(title, conversation) or _is_foreign(title, conversation)
    return "" if wrong or (strict and not _is_grounded(title, conversation)) else capital(title)


def _line(answer: str) -> str:
    """The answer's one line; empty for an essay. An object with one text is that text."""
    text = answer[:MOST_ANSWER].strip()
    if text.startswith("{"):
        try:
            found = [value for value in json.loads(text).values() if isinstance(value, str)]
        except ValueError:
            return ""
        text = found[0] if len(found) == 1 else ""
    lines = [line for line in _LINES.split(text) if has_words(line)]
    return lines[0] if len(lines) == 1 else ""


def _words(text: str) -> list[str]:
    return [word.strip("\"'.,:;!?()[]\u2026\u201c\u201d").lower() for word in text.split()]


def _is_empty_talk(title: str, conversation: Conversation) -> bool:
    low, said = " ".join(_words(title)), conversation.said.lower()
    if low in _GENERIC or any(echo in low and echo not in said for echo in _ECHOES):
        return True
    words = _words(title)
    return len(words) > 2 and len(set(words)) * 2 <= len(words) + 1 - len(words) % 2


def _is_foreign(title: str, conversation: Conversation) -> bool:
    """Whether the title is in a writing that the conversation has nothing of."""
    script = languages.script_of(title)
    return bool(script) and script not in languages.scripts_of(conversation.said)


def _is_grounded(title: str, conversation: Conversation) -> bool:
    said = conversation.said.lower()
    small = languages.guess(title).small
    telling = [word for word in _words(title) if word and word not in small]
    known = [word for word in telling if word[: max(4, len(word) - 3)] in said]
    return bool(telling) and len(known) * 2 > len(telling)
