"""What people and models wrote becomes HTML that does nothing but show it."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai.services import diffs, rendering
from tests.admin.conversations import HOSTILE

#: Elements that can load, run or send something.
ACTIVE = {
    "script",
    "img",
    "iframe",
    "object",
    "embed",
    "svg",
    "math",
    "form",
    "input",
    "button",
    "style",
    "link",
    "meta",
}


class Seen(HTMLParser):
    """The elements and attributes of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]


def assert_inert(html: str) -> None:
    """There is nothing that runs, loads, or leads anywhere but to a web page or a mailbox."""
    seen = Seen(html)
    assert not ACTIVE & set(seen.tags)
    for tag, name, value in seen.attributes:
        known = {"class", "href", "rel", "target", "title", "start", "style", "dir"}
        # Code that is wider than its place can be scrolled by key.
        assert name in known or (tag, name, value) == ("pre", "tabindex", "0"), (tag, name)
        if name == "href":
            assert value.startswith(("https://", "http://", "mailto:")), value
        if name == "style":
            assert re.fullmatch(r"text-align: ?(left|right|center);?", value), value


class TestMarkdown:
    @pytest.mark.parametrize("text", HOSTILE)
    def test_renders_hostile_text_inert(self, text: str) -> None:
        assert_inert(rendering.markdown(text))
        assert_inert(rendering.markdown(f"words {text} words\n\n- {text}\n\n> {text}"))

    @given(st.text(alphabet=st.sampled_from("<>[]()!\"'`*_#|&;:/\\ \nabhref javscipt=onerror"), max_size=80))
    def test_renders_any_text_inert(self, text: str) -> None:
        assert_inert(rendering.markdown(text))

    def test_keeps_what_markdown_is_for(self) -> None:
        html = rendering.markdown(
            "# Plan\n\n1. *one*\n   - **two**\n\n~~old~~ `x`\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n> said"
        )

        for element in ("h1", "ol", "ul", "em", "strong", "s", "code", "table", "th", "td", "blockquote"):
            assert f"<{element}" in html, element
        assert "text-align" in html

    def test_shows_markup_and_comments_as_the_text_they_are(self) -> None:
        html = rendering.markdown("<b>bold</b> <!-- a secret order -->")

        assert "&lt;b&gt;bold&lt;/b&gt;" in html
        assert "a secret order" in html

    def test_never_loads_an_image_but_says_where_it_would_come_from(self) -> None:
        html = rendering.markdown("![the chart](https://evil.example/p.png?q=secret)")

        assert "<img" not in html
        assert "Image not loaded: the chart" in html
        assert "(evil.example)" in html

    def test_names_the_host_behind_the_words_of_a_link(self) -> None:
        html = rendering.markdown("[your bank](https://evil.example/login) and <https://good.example/>")

        assert "(evil.example)" in html
        assert "(good.example)" not in html

    def test_makes_links_that_tell_nothing_to_their_target(self) -> None:
        html = rendering.markdown("[a](https://example.com)")

        assert 'rel="noopener noreferrer nofollow ugc"' in html
        assert 'target="_blank"' in html

    def test_colours_code_by_classes(self) -> None:
        html = rendering.markdown("```python\ndef f(): return 1\n```")

        assert '<span class="hl-k">def</span>' in html
        assert '<span class="c-code-lang">python</span>' in html

    def test_shows_code_in_a_language_nobody_knows(self) -> None:
        assert "<code>a &lt; b\n</code>" in rendering.markdown("```klingon\na < b\n```")

    def test_cuts_a_megabyte(self) -> None:
        html = rendering.markdown("word " * 200_000)

        assert len(html) < rendering.SHOWN_CHARACTERS * 2

    def test_shows_all_of_a_megabyte_as_it_stands(self) -> None:
        text = "*word* " * 200_000

        assert len(rendering.markdown(text, limit=len(text))) >= len(text)

    @pytest.mark.parametrize(
        "piece", ["[", "*a ", "`", ">", "- ", "![x](", "<", "_", "[a](b", "1. ", "[a]: b\n", "a|\n-|\n"]
    )
    def test_takes_no_pathological_time(self, piece: str) -> None:
        text = (piece * 20_000)[: rendering.SHOWN_CHARACTERS]
        begun = time.process_time()  # what it costs, however busy the machine is

        rendering.markdown(text)

        assert time.process_time() - begun < 3


class TestVisible:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("a\u202egnp.exe", "a[U+202E]gnp.exe"),
            ("safe\U000e0048\U000e0049", "safe[hidden: HI]"),
            ("nul\x00", "nul[U+0000]"),
            ("שלום\u200f ok", "שלום\u200f ok"),
            ("\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", None),
            ("tab\tand\nline", "tab\tand\nline"),
        ],
    )
    def test_writes_out_what_deceives(self, text: str, shown: str | None) -> None:
        assert rendering.visible(text) == (text if shown is None else shown)

    def test_writes_out_isolates_in_code_only(self) -> None:
        assert "[U+2066]" in rendering.code("a\u2066b")
        assert "[U+2066]" not in rendering.markdown("a\u2066b\u2069")


class TestJsonText:
    @pytest.mark.parametrize("value", ['{"a": [1, "<b>"]}', {"a": [1, "<b>"]}])
    def test_indents_and_colours(self, value: object) -> None:
        html = rendering.json_text(value)

        assert "hl-nt" in html
        assert "&lt;b&gt;" in html

    @pytest.mark.parametrize("value", ["no json", '"just text"', "[" * 100_000, "{broken", ""])
    def test_shows_what_is_no_json_as_it_stands(self, value: str) -> None:
        assert_inert(rendering.json_text(value))


class TestHighlight:
    def test_marks_words_by_their_beginnings(self) -> None:
        assert rendering.highlight("Two refunds, one refund.", ["refund"]) == (
            "Two <mark>refunds</mark>, one <mark>refund</mark>."
        )

    def test_quotes_the_surroundings_of_the_first_match(self) -> None:
        shown = rendering.highlight("filler " * 200 + "needle " + "filler " * 200, ["needle"])

        assert shown.startswith("… ")
        assert "<mark>needle</mark>" in shown
        assert len(shown) < 260

    def test_takes_no_account_of_accents_and_capitals(self) -> None:
        assert "<mark>RÉSUMÉ</mark>" in rendering.highlight("Mon RÉSUMÉ", ["resume"])

    def test_marks_scripts_without_blanks(self) -> None:
        assert "<mark>注文</mark>" in rendering.highlight("私の注文番号", ["注文"])

    @pytest.mark.parametrize("text", HOSTILE)
    def test_is_inert(self, text: str) -> None:
        html = rendering.highlight(text, ["alert", "script", "img"])

        assert set(Seen(html).tags) <= {"mark"}


class TestDiff:
    def test_marks_words(self) -> None:
        html = rendering.diff("The quick brown fox", "The slow brown fox jumps")

        assert html == (
            '<div class="c-diff" dir="auto">The <del>quick</del><ins>slow</ins> brown fox<ins> jumps</ins></div>'
        )

    def test_of_a_text_that_grows_does_not_miss_what_is_yet_to_come(self) -> None:
        html = rendering.diff("The quick brown fox", "The slow", grows=True)

        assert html == '<div class="c-diff c-caret" dir="auto">The <del>quick</del><ins>slow</ins></div>'

    @pytest.mark.parametrize("text", HOSTILE)
    def test_is_inert(self, text: str) -> None:
        html = rendering.diff(text, f"{text} more")

        assert set(Seen(html).tags) <= {"div", "del", "ins"}

    @given(st.text(alphabet="ab \n.", max_size=60), st.text(alphabet="ab \n.", max_size=60))
    def test_holds_both_texts(self, old: str, new: str) -> None:
        pieces = diffs.words(old, new)

        assert "".join(text for kind, text in pieces if kind != "ins") == old
        assert "".join(text for kind, text in pieces if kind != "del") == new

    def test_finds_single_changes_in_long_texts(self) -> None:
        old = [f"word{number % 97}" for number in range(5000)]
        new = [*old[:2500], "changed", *old[2501:]]

        pieces = diffs.words(" ".join(old), " ".join(new))

        assert [text for kind, text in pieces if kind == "ins"] == ["changed"]

    @pytest.mark.parametrize("words", [1, 3, 1000])
    def test_stays_quick_with_long_texts_that_have_nothing_in_common(self, words: int) -> None:
        old = " ".join(f"a{number % words}" for number in range(15_000))
        new = " ".join(f"a{number * 7 % words}b" for number in range(15_000))
        begun = time.perf_counter()

        rendering.diff(old, new)

        assert time.perf_counter() - begun < 3
