"""Small words of the languages that titles are found in by rule, and how a text's language is guessed from them."""

# ruff: noqa: RUF001 - Cyrillic and Hebrew letters that look like Latin ones
from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Language:
    """`weak` words a headline does without; `links` it keeps between others, and neither begins nor ends with."""

    code: str
    weak: frozenset[str]
    links: frozenset[str]

    @cached_property
    def small(self) -> frozenset[str]:
        """Both."""
        return self.weak | self.links


def _language(code: str, weak: str, links: str) -> Language:
    return Language(code, frozenset(weak.split()), frozenset(links.split()))


NONE = _language("", "", "")

LATIN = (
    _language(
        "en",
        "a an the i i'm i'd i've i'll im me my mine we we're our us you you're your he she his her it it's its they them "
        "their this that these those there here is are am was were be been being do does did doing have has had having "
        "can could will would shall should may might must please kindly just really very also so too some any much many "
        "want wants wanted need needs like love looking look help get got let let's make go going know tell say show "
        "give try trying thank thanks hello hi hey ok okay yes yeah no well oh what which who whom when where why how "
        "if then than because while still now today something anything thing things stuff good great nice cool best "
        "more most other else maybe actually currently ever one ones because would've that's what's such way ways effective always",
        "of in on at to for from with without by and or between into over under after before during per via as not vs about using",
    ),
    _language(
        "fr",
        "le la les l un une des du je j tu il elle on nous vous ils elles me te se mon ma mes ton ta tes son sa ses notre "
        "votre leur ce cet cette ces ça c est sont suis es était a ai as ont avoir être fait faire peux peut pouvez veux "
        "voudrais que qui quoi quel quelle quels quelles où quand comment pourquoi s'il plaît très plus bien aussi merci "
        "bonjour salut est-ce qu oui non y ne pas si alors donc mais",
        "de d en à au aux dans pour par avec sans sur sous entre et ou vers chez",
    ),
    _language(
        "de",
        "der die das den dem des ein eine einen einem einer eines ich du er sie es wir ihr mich mir dich dir uns euch mein "
        "meine meinen dein deine sein seine ihre unser ist sind bin bist war waren wird werden würde würdest habe hast hat "
        "haben kann kannst können könntest könnten möchte will willst soll was wer wie wo wann warum welche welcher "
        "welches wenn dass bitte danke hallo sehr auch noch nur mal etwas ja nein doch schon denn so dann",
        "von in im am an auf aus bei mit nach zu zum zur für über unter ohne und oder zwischen durch gegen um vom",
    ),
    _language(
        "es",
        "el la los las lo un una unos unas yo tú tu usted él ella nosotros me te se le mi mis su sus nuestro este esta esto "
        "ese esa eso estos es son soy eres está están estoy era fue ser estar hay he ha han tengo tiene puedo puede puedes "
        "podría quiero quisiera que qué quién cuál cuáles cómo dónde cuándo cuánto por_qué favor muy más también gracias "
        "hola sí no ya si pero",
        "de del en a al por para con sin sobre entre y o e u desde hasta",
    ),
    _language(
        "it",
        "il lo la i gli le l un uno una io tu lui lei noi voi loro mi ti si ci vi mio mia tuo tua suo sua questo questa "
        "quello quella è sono sei era essere ho hai ha hanno avere posso puoi può potresti vorrei voglio che chi cosa cos "
        "quale quali come dove quando perché quanto per_favore molto più anche grazie ciao sì no non ma se",
        "di d del della dei delle in nel nella a al alla da dal con su sul per tra fra e o senza",
    ),
    _language(
        "pt",
        "o a os as um uma uns umas eu tu você vocês ele ela nós me te se meu minha teu tua seu sua este esta isto esse essa "
        "isso é são sou és está estão estou era foi ser estar tenho tem tens há posso pode podes poderia quero queria que "
        "quem qual quais como onde quando quanto porquê favor muito mais também obrigado obrigada olá oi sim não já se mas",
        "de do da dos das em no na nos nas ao à por para com sem sobre entre e ou pelo pela",
    ),
    _language(
        "nl",
        "de het een ik jij je hij zij ze wij we jullie u mij me jou ons mijn jouw zijn haar hun dit dat deze die is ben "
        "bent was waren wordt worden heb hebt heeft hebben kan kun kunt kunnen wil wilt zou moet mag wat wie hoe waar "
        "wanneer waarom welke welk alsjeblieft graag heel ook nog maar even iets ja nee niet bedankt hallo hoi er als",
        "van in op aan bij met naar voor over onder zonder en of tussen door uit om te tot",
    ),
    _language(
        "sv",
        "en ett den det de jag du han hon vi ni mig dig oss er min mitt mina din ditt dina sin hans hennes detta denna dessa "
        "är var blir vara har hade ha kan kunde vill skulle ska måste får vad vem hur var när varför vilken vilket vilka "
        "snälla tack hej mycket också bara lite något ja nej inte men om så som",
        "av i på till från med för utan över under och eller mellan genom vid",
    ),
    _language(
        "id",
        "saya aku kamu anda dia kami kita mereka ini itu adalah ialah ada akan sudah telah sedang bisa dapat ingin mau harus "
        "tolong apa siapa bagaimana mengapa kenapa kapan mana berapa apakah yang sangat juga saja lagi terima kasih halo "
        "hai ya tidak bukan mu ku nya sih dong",
        "di ke dari untuk dengan tanpa pada dalam tentang antara dan atau oleh",
    ),
)

RUSSIAN = _language(
    "ru",
    "я ты он она оно мы вы они меня мне тебя тебе его её ему нас нам вас вам их мой моя моё мои твой твоя ваш ваша этот эта "
    "это эти тот та то те есть был была было быть будет могу может можете можешь хочу хотел бы ли что кто какой какая какое "
    "какие как где когда почему зачем сколько пожалуйста очень тоже также ещё уже только спасибо привет здравствуйте да нет "
    "не ну же вот",
    "в во на по о об от до из с со к ко для за под над при без и или между через у",
)
HINDI = _language(
    "hi",
    "मैं मुझे हम हमें तुम तुम्हें आप आपको वह वे यह ये मेरा मेरी मेरे तुम्हारा तुम्हारी आपका आपकी आपके उसका है हैं हूँ हूं था थी थे हो होता होती रहा रही रहे सकते सकता सकती "
    "क्या कौन कैसे कैसा कैसी कहाँ कहां कब क्यों कितना कितने कृपया बहुत भी ही तो हाय नमस्ते धन्यवाद हाँ नहीं",
    "का की के को में से पर और या लिए साथ तक ने",
)
HEBREW = _language(
    "he",
    "אני אתה את הוא היא אנחנו אתם הם שלי שלך שלו שלה שלנו זה זאת זו אלה יש אין היה הייתה היו להיות יכול יכולה רוצה אפשר מה מי "
    "איך איפה מתי למה כמה איזה האם בבקשה מאוד גם רק עוד תודה שלום היי הי כן לא לי לך אבל אם כי",
    "של על עם בלי אל מן בין או ו עד לפני אחרי",
)
ARABIC = _language(
    "ar",
    "أنا أنت هو هي نحن هم هذا هذه ذلك تلك هل ما ماذا من كيف أين متى لماذا كم أريد يمكن يمكنك من_فضلك شكرا مرحبا نعم لا جدا أيضا",
    "في من إلى على عن مع بدون بين و أو",
)

_SCRIPTS = (
    (re.compile("[\u3040-\u30ff]"), _language("ja", "", "")),
    (re.compile("[\u4e00-\u9fff]"), _language("zh", "", "")),
    (re.compile("[\uac00-\ud7af]"), _language("ko", "", "")),
    (re.compile("[\u0400-\u04ff]"), RUSSIAN),
    (re.compile("[\u0900-\u097f]"), HINDI),
    (re.compile("[\u0590-\u05ff]"), HEBREW),
    (re.compile("[\u0600-\u06ff]"), ARABIC),
)
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")


def script_of(text: str) -> str:
    """The code of the writing that most of the text is in: "latin", "ja", "zh", "ru", …; empty where it has no letters."""
    counts: dict[str, float] = {language.code: len(pattern.findall(text)) for pattern, language in _SCRIPTS}
    counts["latin"] = (
        len(_LATIN.findall(text)) / 3
    )  # a word takes more letters than where a sign is a syllable or a word
    if counts["ja"]:
        counts["ja"] += counts.pop("zh")
    best = max(counts, key=lambda code: counts[code])
    return best if counts[best] else ""


def scripts_of(text: str) -> set[str]:
    """The codes of every writing that the text has something of; Japanese has the signs of Chinese too."""
    found = {language.code for pattern, language in _SCRIPTS if pattern.search(text)}
    return found | ({"latin"} if _LATIN.search(text) else set()) | ({"zh"} if "ja" in found else set())


def guess(text: str) -> Language:
    """The language whose small words are most in the text; `NONE` where nothing tells."""
    script = script_of(text)
    if script != "latin":
        return next((language for _, language in _SCRIPTS if language.code == script), NONE)
    words = [word.lower().replace("\u2019", "'") for word in _WORD.findall(text[:2000])]
    hits = {language.code: sum(word in language.small for word in words) for language in LATIN}
    best = max(LATIN, key=lambda language: hits[language.code])
    return best if hits[best.code] else NONE
