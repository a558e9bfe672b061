"""What an answer says, and in which letters and language."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import StringConstraints

from pipeline.evals.instructions._base import Count, Instruction, Relation, Text, Texts, meets, words
from pipeline.evals.instructions.language import is_in


class Existence(Instruction):
    """Every keyword stands in the answer, letter case aside."""

    id: Literal["keywords:existence"]
    keywords: Texts

    def holds(self, text: str) -> bool:
        return all(keyword.casefold() in text.casefold() for keyword in self.keywords)


class Frequency(Instruction):
    """A keyword stands so often in the answer, letter case aside."""

    id: Literal["keywords:frequency"]
    keyword: Text
    frequency: Count
    relation: Relation

    def holds(self, text: str) -> bool:
        return meets(text.casefold().count(self.keyword.casefold()), self.relation, self.frequency)


class ForbiddenWords(Instruction):
    """None of the words stands in the answer as a whole word, letter case aside."""

    id: Literal["keywords:forbidden_words"]
    forbidden_words: Texts

    def holds(self, text: str) -> bool:
        return not any(
            re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) for word in self.forbidden_words
        )


class LetterFrequency(Instruction):
    """A letter stands so often in the answer, letter case aside."""

    id: Literal["keywords:letter_frequency"]
    letter: Annotated[str, StringConstraints(min_length=1, max_length=1)]
    let_frequency: Count
    let_relation: Relation

    def holds(self, text: str) -> bool:
        return meets(text.casefold().count(self.letter.casefold()), self.let_relation, self.let_frequency)


class ResponseLanguage(Instruction):
    """The answer is in one language, by its ISO 639-1 code. Unknown for a text too short to tell, and for languages that
    can't be told apart."""

    id: Literal["language:response_language"]
    language: Annotated[str, StringConstraints(pattern="^[a-z]{2}$")]

    def holds(self, text: str) -> bool | None:
        return is_in(text, self.language)


class CapitalWordFrequency(Instruction):
    """So many words are all in capitals."""

    id: Literal["change_case:capital_word_frequency"]
    capital_frequency: Count
    capital_relation: Relation

    def holds(self, text: str) -> bool:
        return meets(sum(word.isupper() for word in words(text)), self.capital_relation, self.capital_frequency)


class EnglishCapital(Instruction):
    """English, and all letters are capitals. Unknown where the language can't be told."""

    id: Literal["change_case:english_capital"]

    def holds(self, text: str) -> bool | None:
        return is_in(text, "en") if text.isupper() else False


class EnglishLowercase(Instruction):
    """English, and all letters are small. Unknown where the language can't be told."""

    id: Literal["change_case:english_lowercase"]

    def holds(self, text: str) -> bool | None:
        return is_in(text, "en") if text.islower() else False


class NoComma(Instruction):
    """No comma."""

    id: Literal["punctuation:no_comma"]

    def holds(self, text: str) -> bool:
        return not re.search("[,，、،]", text)


class NumberPlaceholders(Instruction):
    """At least so many placeholders in square brackets, such as ``[name]``."""

    id: Literal["detectable_content:number_placeholders"]
    num_placeholders: Count

    def holds(self, text: str) -> bool:
        return len(re.findall(r"\[[^\[\]\n]+\]", text)) >= self.num_placeholders


class Postscript(Instruction):
    """A line begins with the marker of a postscript and goes on after it; letter case and space within it don't count."""

    id: Literal["detectable_content:postscript"]
    postscript_marker: Literal["P.S.", "P.P.S"]

    def holds(self, text: str) -> bool:
        marker = r"\s*".join(re.escape(part) for part in self.postscript_marker.rstrip("."))
        return re.search(rf"^\s*{marker}\.?+:?+\s*+\S", text, re.IGNORECASE | re.MULTILINE) is not None


CONTENTS = (
    Existence
    | Frequency
    | ForbiddenWords
    | LetterFrequency
    | ResponseLanguage
    | CapitalWordFrequency
    | EnglishCapital
    | EnglishLowercase
    | NoComma
    | NumberPlaceholders
    | Postscript
)
