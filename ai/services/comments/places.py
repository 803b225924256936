"""Where in a message a comment is: a part of its plain text, which is what a reader of the page sees.

The plain text is the text of the message's rendered markdown. A browser computes the same from its page, so both can say
where a quote is, in characters (code points), and whether it is still there.
"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any, NamedTuple

from ai.exceptions import InvalidInput
from ai.models import Message
from ai.models.comments import LONGEST_QUOTE, Comment
from ai.services import rendering, turns
from ai.stores.serialization import clean_text

#: What is about further parts of a longer message is about the message as a whole.
MOST_CHARACTERS = rendering.PLAIN_CHARACTERS


class Place(NamedTuple):
    """A part of a message's plain text; `quote` is empty where the whole message is meant."""

    start: int | None = None
    end: int | None = None
    quote: str = ""


#: The whole message.
WHOLE = Place()


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []

    def handle_data(self, data: str) -> None:
        """Keep the words."""
        self.pieces.append(data)


def plain_text(text: str) -> str:
    """What a reader sees of a message's markdown."""
    parser = _Text()
    parser.feed(rendering.markdown(text, limit=MOST_CHARACTERS))
    parser.close()
    return "".join(parser.pieces)


def text_of(message: Message) -> str:
    """The plain text of a message."""
    return plain_text(turns.of([message])[0].text)


def lines(text: str) -> str:
    """The text with line ends as we keep them: forms send others."""
    return text.replace("\r\n", "\n")


def find(plain: str, quote: str, *, near: int) -> Place:
    """The quote's place in the text: the one nearest to `near`, where a browser saw it.

    Raises:
        InvalidInput: it is empty, too long, or not there.
    """
    words = lines(clean_text(quote))
    if not words.strip():
        return WHOLE
    if len(words) > LONGEST_QUOTE:
        raise InvalidInput(f"Select at most {LONGEST_QUOTE:,} characters to comment on.")
    if plain[near : near + len(words)] == words:
        return Place(near, near + len(words), words)
    before, after = plain.rfind(words, 0, max(near, 0) + len(words)), plain.find(words, max(near, 0))
    known = [place for place in (before, after) if place >= 0]
    if not known:
        raise InvalidInput("The message does not say these words. Reload the page and select them again.")
    start = min(known, key=lambda place: abs(place - near))
    return Place(start, start + len(words), words)


def still_says(row: Comment | Any, plain: str) -> bool:
    """Whether the text at the comment's place is what was quoted."""
    return not row.quote or plain[row.start : row.end] == row.quote
