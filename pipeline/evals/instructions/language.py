"""Which language a text is in, by its script or its commonest words; nothing is said of a text that leaves doubt."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

# The language that most writes a script, as Unicode names its letters.
_SCRIPTS = {
    "HIRAGANA": "ja", "KATAKANA": "ja", "CJK": "zh", "HANGUL": "ko", "ARABIC": "ar", "DEVANAGARI": "hi", "GREEK": "el",
    "HEBREW": "he", "THAI": "th", "CYRILLIC": "ru", "TAMIL": "ta", "TELUGU": "te", "BENGALI": "bn", "GEORGIAN": "ka",
    "GUJARATI": "gu", "KANNADA": "kn", "GURMUKHI": "pa", "MALAYALAM": "ml", "ARMENIAN": "hy",
}  # fmt: skip
# Others that write the same script, which code can't tell apart.
_SHARED = {"ar": ("fa", "ur"), "hi": ("mr", "ne"), "ru": ("bg", "uk", "sr", "mk", "be")}
# Words that one language has often and the others seldom or never.
_COMMON = {
    "en": "the and is of to in that it for with was are this be on as at by not have from you they his her which will "
    "an or we he she but there can all would their been has more when who what so if its into your",
    "de": "der die das und ist nicht ein eine mit auf für von den dem sich auch es wir ich sie zu im am wird sind war "
    "wie bei nach aus oder aber nur noch über einen einer haben hat werden kann durch vom zum zur",
    "fr": "le la les et est des une du dans pour qui que pas sur avec il elle nous vous ce cette sont au aux mais ou par "
    "plus son sa ses leur être été très comme tout fait je ne se en un",
    "es": "el la los las y es de que en un una por con para se no lo su como más pero al del este esta son fue hay muy "
    "también sus le ya cuando todo nos ha está ser tiene",
    "it": "il lo la gli le e è di che un una per con non si del della sono nel nella anche più ma come questo questa "
    "alla dei delle dal ha suo sua molto essere c'è ogni tra quando",
    "pt": "o a os as e é de que um uma em para com não se do da dos das no na por mais mas como foi são muito também ao "
    "seu sua ou quando já está isso ser tem nos",
    "nl": "de het een en is van in dat niet op te met voor zijn er aan ook als maar bij om naar door uit over deze dit "
    "wordt hij zij we ik heeft nog wel kan worden was veel",
    "sv": "och det att en ett som är på för med inte av den till har de om men var jag vi kan från så när hon han eller "
    "mycket också efter vid",
    "pl": "i w na z do nie się że to jest jak po od przez dla ale co tak o za był są oraz może być tym który bardzo już "
    "czy tylko jego",
}
_WORDS = {language: frozenset(text.split()) for language, text in _COMMON.items()}
LANGUAGES = tuple(sorted({*_SCRIPTS.values(), *_COMMON}))
LEAST_WORDS = 4


def is_in(text: str, language: str) -> bool | None:
    """Tell whether a text is in a language, by its ISO 639-1 code; None where that can't be told: the text is too short, or
    the language is one that this module doesn't know (Finnish, say, against other Latin letters)."""
    found = language_of(text)
    if found is None or found == language:
        return None if found is None else True
    return None if language in _SHARED.get(found, ()) else False


def language_of(text: str) -> str | None:
    """Return a code of ``LANGUAGES``, or None where the text is too short or too mixed to tell."""
    letters = [char for char in text if char.isalpha()]
    if not letters:
        return None
    scripts = Counter(unicodedata.name(char, "?").split()[0].partition("-")[0] for char in letters)
    kana = scripts["HIRAGANA"] + scripts["KATAKANA"]
    script, count = scripts.most_common(1)[0]
    if script in _SCRIPTS or kana:
        if kana and (kana + scripts["CJK"]) > len(letters) / 2:
            return "ja"
        return _SCRIPTS.get(script) if count > len(letters) / 2 else None
    found = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text.casefold())
    if len(found) < LEAST_WORDS:
        return None
    hits = sorted(
        ((sum(word in known for word in found), language) for language, known in _WORDS.items()), reverse=True
    )
    (most, first), (next_most, _) = hits[:2]
    return first if most >= 2 and most >= 0.08 * len(found) and most > 1.2 * next_most else None
