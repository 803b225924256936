"""
What people and models wrote, as safe HTML.

Everything here is hostile until shown otherwise. Markdown is parsed with raw HTML switched off, so tags, comments and
styles appear as the text they are; the result passes an allow-list once more. Nothing is ever loaded from elsewhere:
an image becomes a link that says what it is, and a link whose words hide its host shows the host beside them.
"""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from typing import Any
from unicodedata import normalize
from urllib.parse import urlsplit

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from ai.services import diffs

#: Longer messages are cut on a page of many, with a link to all of it.
SHOWN_CHARACTERS = 20_000

#: From here on text is shown as it is: parsing it would keep a reader waiting.
PLAIN_CHARACTERS = 200_000

#: Longer blocks of code are not coloured.
COLOURED_CHARACTERS = 12_000

SCHEMES = ("http", "https", "mailto")

# Embeddings and overrides make text read otherwise than it is stored; isolates do so inside code, where nobody needs
# them. Tag characters are invisible, and hide orders to a model inside a harmless sentence; a few of them after a black
# flag are an emoji.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\ufff9-\ufffb]")
_ISOLATES = re.compile("[\u2066-\u2069]")
_TAGS = re.compile("\U0001f3f4?[\U000e0020-\U000e007f]+")
_FLAG_CHARACTERS = 8


def visible(text: str) -> str:
    """The text with the characters that deceive readers written out, such as “[U+202E]”."""
    return _TAGS.sub(_smuggled, _CONTROLS.sub(_code_point, text))


def _code_point(found: re.Match[str]) -> str:
    return f"[U+{ord(found[0]):04X}]"


def _smuggled(found: re.Match[str]) -> str:
    run = found[0]
    if run[0] == "\U0001f3f4" and len(run) <= _FLAG_CHARACTERS:
        return run
    hidden = "".join(chr(ord(letter) - 0xE0000) for letter in run if letter != "\U0001f3f4")
    return f"[hidden: {hidden}]"


def markdown(text: str, *, limit: int = SHOWN_CHARACTERS) -> SafeString:
    """Markdown as sanitised HTML: the first `limit` characters of it."""
    shown = text[:limit]
    if len(shown) > PLAIN_CHARACTERS:
        return plain(shown)
    return mark_safe(_rendered(shown))  # noqa: S308 - an allow-list made it safe


@lru_cache(maxsize=256)
def _rendered(text: str) -> str:
    """A page that is paged or polled shows the same texts again; equal text is equal HTML, whoever asks."""
    html: str = _cleaner().clean(_parser().render(visible(text)))
    return html


def plain(text: str) -> SafeString:
    """The text as it stands, line by line."""
    return format_html('<div class="c-plain">{}</div>', visible(text))


def code(text: str, language: str = "") -> SafeString:
    """A block of code, coloured by classes when the language is known."""
    cleaned = _ISOLATES.sub(_code_point, visible(text))
    return mark_safe(_code_block(cleaned, language))  # noqa: S308 - escaped by Pygments or by us


def json_text(value: Any) -> SafeString:
    """JSON, or text that may hold JSON, indented and coloured; text that is no JSON as it stands."""
    data = value
    if isinstance(value, str):
        try:
            data = json.loads(value)
        except (ValueError, RecursionError):
            return code(value)
        if isinstance(data, str):
            return code(data)
    return code(json.dumps(data, ensure_ascii=False, indent=2, default=str), "json")


def diff(old: str, new: str, *, grows: bool = False) -> SafeString:
    """What changed from `old` to `new`, word by word, in `<del>` and `<ins>`; so far, where `new` still grows."""
    pieces = []
    for kind, words in diffs.words(visible(old), visible(new), grows=grows):
        shown = escape(words)
        pieces.append(shown if kind == "same" else f"<{kind}>{shown}</{kind}>")
    body = "".join(pieces)
    caret = " c-caret" if grows else ""
    return mark_safe(f'<div class="c-diff{caret}" dir="auto">{body}</div>')  # noqa: S308 - each piece was escaped


def highlight(text: str, words: list[str], *, width: int = 160) -> SafeString:
    """About `width` characters around the first of `words` in `text`, each word that begins with one in `<mark>`.

    Case and accents do not matter, as in the search itself.
    """
    line = " ".join(visible(text).split())
    pattern = _words_pattern(words)
    folded = _folded(line)
    found = pattern.search(folded) if pattern else None
    start = max(0, found.start() - width // 3) if found else 0
    if start:
        start = line.find(" ", start, start + 30) + 1 or start
    end = start + width
    pieces, at = [], start
    for match in pattern.finditer(folded, start, end) if pattern else ():
        pieces += [escape(line[at : match.start()]), "<mark>", escape(line[match.start() : match.end()]), "</mark>"]
        at = match.end()
    before, after = "… " if start else "", " …" if end < len(line) else ""
    return mark_safe(f"{before}{''.join(pieces)}{escape(line[at:end])}{after}")  # noqa: S308 - each piece was escaped


def _folded(text: str) -> str:
    """The text without accents and capitals, letter for letter as long as it was."""
    if text.isascii():
        return text.lower()
    return "".join(_plain_letter(letter) for letter in text)


@lru_cache(maxsize=4096)
def _plain_letter(letter: str) -> str:
    lower = normalize("NFD", letter)[0].lower()
    return lower if len(lower) == 1 else letter


#: From here on scripts are written without blanks between words.
_UNSPACED = "\u2e80"


def _words_pattern(words: list[str]) -> re.Pattern[str] | None:
    kept = sorted({_folded(word) for word in words if word}, key=len, reverse=True)
    if not kept:
        return None
    inside = [re.escape(word) for word in kept if word[0] >= _UNSPACED]
    whole = [re.escape(word) for word in kept if word[0] < _UNSPACED]
    choices = [rf"(?<![^\W_])(?:{'|'.join(whole)})[^\W_]*"] if whole else []
    return re.compile("|".join(choices + inside))


# -- The parser


def _is_safe_link(url: str) -> bool:
    try:
        return urlsplit(url.strip()).scheme.lower() in SCHEMES
    except ValueError:
        return False


@cache
def _parser() -> Any:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - not needed to start

    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 20})
    parser.enable(["table", "strikethrough"])
    parser.validateLink = _is_safe_link  # type: ignore[method-assign]
    parser.core.ruler.push("nothing_is_loaded", _disarm)
    parser.add_render_rule("fence", _render_fence)
    parser.add_render_rule("code_block", _render_fence)
    parser.add_render_rule("table_open", lambda *_: '<div class="c-table"><table>')
    parser.add_render_rule("table_close", lambda *_: "</table></div>")
    return parser


def _render_fence(renderer: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    token = tokens[index]
    language = token.info.split()[0] if token.info.strip() else ""
    return _code_block(_ISOLATES.sub(_code_point, token.content), language)


def _disarm(state: Any) -> None:
    """Replace images by links, and show the host of links."""
    for token in state.tokens:
        if token.type == "inline" and token.children:
            token.children = [new for child in _with_hosts(token.children) for new in _without_image(child)]


def _without_image(token: Any) -> list[Any]:
    if token.type != "image":
        return [token]
    address, words = str(token.attrGet("src") or ""), token.content.strip()
    label = f"Image not loaded: {words}" if words else "Image not loaded"
    opening = _token("link_open", "a", 1, {"href": address, "class": "c-remote"})
    return [opening, _text(label), _token("link_close", "a", -1), *_host(address, "")]


def _with_hosts(children: list[Any]) -> list[Any]:
    out: list[Any] = []
    address, words = "", ""
    for child in children:
        out.append(child)
        if child.type == "link_open":
            address, words = str(child.attrGet("href") or ""), ""
        elif child.type == "link_close":
            out += _host(address, words)
        else:
            words += child.content
    return out


def _host(address: str, words: str) -> list[Any]:
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        host = "?"
    if not host or words.strip() == address or words.strip() == host:
        return []
    return [_token("host_open", "span", 1, {"class": "c-host"}), _text(f" ({host})"), _token("host_close", "span", -1)]


def _token(kind: str, tag: str, nesting: int, attrs: dict[str, Any] | None = None) -> Any:
    from markdown_it.token import Token  # noqa: PLC0415

    return Token(kind, tag, nesting, attrs=attrs or {})  # type: ignore[arg-type]


def _text(content: str) -> Any:
    token = _token("text", "", 0)
    token.content = content
    return token


# -- Code


def _code_block(text: str, language: str) -> str:
    name = language[:30]
    lexer = _lexer(name.lower()) if len(text) <= COLOURED_CHARACTERS else None
    body = _formatted(text, lexer) if lexer else escape(text)
    label = f'<span class="c-code-lang">{escape(name)}</span>' if name else ""
    return f'<div class="c-code">{label}<pre tabindex="0"><code>{body}</code></pre></div>'


@cache
def _formatter() -> Any:
    from pygments.formatters import HtmlFormatter  # noqa: PLC0415

    return HtmlFormatter(nowrap=True, classprefix="hl-")


def _formatted(text: str, lexer: Any) -> str:
    from pygments import highlight as colour  # noqa: PLC0415

    coloured: str = colour(text, lexer, _formatter())
    return coloured


_LEXERS: dict[str, Any] = {}


def _lexer(name: str) -> Any:
    """The language's lexer; None when there is none. Names come from models, so only real ones are remembered."""
    from pygments.lexers import get_lexer_by_name  # noqa: PLC0415
    from pygments.util import ClassNotFound  # noqa: PLC0415

    if name in ("", "text", "plain", "plaintext", "txt"):
        return None
    if name not in _LEXERS:
        try:
            _LEXERS[name] = get_lexer_by_name(name, stripnl=False, ensurenl=False)
        except ClassNotFound:
            return None
    return _LEXERS[name]


@cache
def _cleaner() -> Any:
    import nh3  # noqa: PLC0415
    from pygments.token import STANDARD_TYPES  # noqa: PLC0415

    tags = "a abbr b blockquote br code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i ins li ol p pre s span strong sub sup ul"
    table = {"table", "thead", "tbody", "tr", "th", "td"}
    colours = {f"hl-{short}" for short in STANDARD_TYPES.values() if short}
    return nh3.Cleaner(
        tags={*tags.split(), *table},
        attributes={"a": {"href", "title"}, "ol": {"start"}, "th": {"style"}, "td": {"style"}},
        allowed_classes={
            "a": {"c-remote"},
            "div": {"c-code", "c-table"},
            "span": {"c-host", "c-code-lang", *colours},
        },
        filter_style_properties={"text-align"},
        link_rel="noopener noreferrer nofollow ugc",
        tag_attribute_values={"pre": {"tabindex": {"0"}}},
        set_tag_attribute_values={"a": {"target": "_blank"}},
        url_schemes=set(SCHEMES),
        url_relative="deny",
    )
