from __future__ import annotations

import pytest

from pipeline.evals.instructions.language import LANGUAGES, is_in, language_of

TEXTS = {
    "en": "The train was late, but we did not have to wait for it in the rain.",
    "de": "Der Zug war zu spät, aber wir mussten nicht im Regen auf ihn warten.",
    "fr": "Le train était en retard, mais nous ne sommes pas restés sous la pluie.",
    "es": "El tren llegó tarde, pero no tuvimos que esperar bajo la lluvia con los niños.",
    "it": "Il treno era in ritardo, ma non abbiamo dovuto aspettare sotto la pioggia con gli altri.",
    "pt": "O trem chegou tarde, mas não tivemos que esperar na chuva com as crianças.",
    "nl": "De trein was te laat, maar wij hoefden niet in de regen op hem te wachten.",
    "sv": "Tåget var sent, men vi behövde inte vänta på det i regnet med barnen och alla väskor.",
    "pl": "Pociąg był spóźniony, ale nie musieliśmy na niego czekać w deszczu, bo jest tam dach.",
    "ru": "Поезд опоздал, но нам не пришлось ждать под дождём.",
    "ja": "電車は遅れましたが、雨の中で待つ必要はありませんでした。",
    "zh": "火车晚点了，但是我们不用在雨中等待。",
    "ko": "기차가 늦었지만 우리는 비를 맞으며 기다릴 필요가 없었다.",
    "el": "Το τρένο άργησε, αλλά δεν χρειάστηκε να περιμένουμε στη βροχή.",
    "hi": "ट्रेन देर से आई, लेकिन हमें बारिश में इंतज़ार नहीं करना पड़ा।",
}


@pytest.mark.parametrize("language", TEXTS)
def test_a_sentence_is_enough(language: str) -> None:
    assert language_of(TEXTS[language]) == language
    assert language in LANGUAGES
    assert [other for other in TEXTS if is_in(TEXTS[language], other)] == [language]


@pytest.mark.parametrize("text", ["", "123 !?", "OK", "Paris London Rome Berlin Oslo", "xyzzy plugh quux frob"])
def test_doubt_is_told(text: str) -> None:
    assert language_of(text) is None
    assert is_in(text, "en") is None
