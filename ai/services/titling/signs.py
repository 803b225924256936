"""Titles in writings that put no space between words: Japanese, Chinese, Thai."""

from __future__ import annotations

import re

from ai.services.titling.text import MOST_WORDS, SIGNS_OF_A_WORD, tidy

MOST_SIGNS = MOST_WORDS * SIGNS_OF_A_WORD
FEWEST = 2

_SIGN = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u0e00-\u0e7f]")
_CLAUSE = re.compile("[\u3001\uff0c,;\uff1b:\uff1a\u2026\\s]+")
_END = re.compile("[\u3002.!?\uff01\uff1f]+$")
#: How people ask, before and after what they ask about.
_BEFORE = re.compile(
    "^(?:すみません|こんにちは|あの|"
    "你好|您好|请问|請問|请|請|我想要|我想|我要|你能|您能|可以|能不能|帮我|幫我|告诉我|告訴我|给我|給我|一下)+"
)
_AFTER = re.compile(
    "(?:について)?(?:を)?(?:教えて(?:ください|下さい)|お願い(?:します|いたします)|していただけますか|して(?:ください|下さい)|"
    "ください|下さい|でしょうか|のですか|ですか|でした|です)$|(?:とは|って|は)(?:何|なん|なに)(?:でしょうか|ですか|か)?$|(?:吗|嗎|呢|吧|谢谢|謝謝)$"
)
_SMALL_TALK = re.compile(
    "^(?:こんにちは|こんばんは|おはよう(?:ございます)?|やあ|はい|いいえ|お元気|元気|ありがとう(?:ございます)?|"
    "你好|您好|早上好|晚上好|嗨|谢谢|謝謝|再见|你好吗|你怎么样|สวัสดี(?:ครับ|ค่ะ)?)$"
)
#: Where a Japanese phrase begins anew: a small word has ended, and a sign of another kind follows.
_PHRASE = re.compile("(?<=[\u3041-\u309f])(?=[\u30a0-\u30ff\u4e00-\u9fffA-Za-z0-9])")
_PARTICLES = "はがをにでとものへや的和与與在是"


def are_in(text: str) -> bool:
    """Whether the text is written like this."""
    return len(_SIGN.findall(text)) * 2 > len(text.replace(" ", ""))


def short(sentence: str) -> tuple[str, int]:
    """The title of a sentence, and how many telling words it may have."""
    line = tidy(sentence)
    bare = _END.sub("", line)
    asked = _AFTER.sub("", _BEFORE.sub("", bare)).strip()
    about = asked if len(asked) >= FEWEST else bare
    telling = 0 if _SMALL_TALK.match(bare) else -(-len(about) // SIGNS_OF_A_WORD)
    if len(about) <= MOST_SIGNS:
        return tidy(about), telling
    return tidy(_first_clause(about)), telling


def _first_clause(text: str) -> str:
    clauses = [clause for clause in _CLAUSE.split(text) if len(clause) > FEWEST] or [text]
    clause = clauses[0]
    if len(clause) <= MOST_SIGNS:
        return clause
    kept = ""
    for phrase in _PHRASE.split(clause):
        if len(kept) + len(phrase) > MOST_SIGNS:
            break
        kept += phrase
    kept = kept.rstrip(_PARTICLES)
    return kept if len(kept) > FEWEST else clause[:MOST_SIGNS].rstrip(_PARTICLES)
