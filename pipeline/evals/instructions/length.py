"""How long an answer is, and of how many parts."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from pipeline.evals.instructions._base import (
    Count,
    Instruction,
    Relation,
    Text,
    meets,
    paragraphs,
    sentences,
    words,
)


class NumberWords(Instruction):
    """So many words."""

    id: Literal["length_constraints:number_words"]
    num_words: Count
    relation: Relation

    def holds(self, text: str) -> bool:
        return meets(len(words(text)), self.relation, self.num_words)


class NumberSentences(Instruction):
    """So many sentences."""

    id: Literal["length_constraints:number_sentences"]
    num_sentences: Count
    relation: Relation

    def holds(self, text: str) -> bool:
        return meets(len(sentences(text)), self.relation, self.num_sentences)


class NumberParagraphs(Instruction):
    """Exactly so many paragraphs, divided by lines of ``***``; an empty one may stand only before the first or after the
    last divider."""

    id: Literal["length_constraints:number_paragraphs"]
    num_paragraphs: Count

    def holds(self, text: str) -> bool:
        parts = [part.strip() for part in re.split(r"\s?\*\*\*\s?", text)]
        inner = parts[1 if not parts[0] else 0 : -1 if not parts[-1] else None]
        return all(inner) and len(inner) == self.num_paragraphs


class BlankLineParagraphs(Instruction):
    """So many paragraphs, divided by blank lines. Not in IFEval."""

    id: Literal["length_constraints:blank_line_paragraphs"]
    num_paragraphs: Count
    relation: Relation = "exactly"

    def holds(self, text: str) -> bool:
        return meets(len(paragraphs(text)), self.relation, self.num_paragraphs)


class NthParagraphFirstWord(Instruction):
    """Exactly so many paragraphs, divided by blank lines, and one of them (counted from 1) begins with a word; letter case
    and marks around the word don't count."""

    id: Literal["length_constraints:nth_paragraph_first_word"]
    num_paragraphs: Count
    nth_paragraph: Annotated[int, Field(ge=1)]
    first_word: Text

    def holds(self, text: str) -> bool:
        parts = paragraphs(text)
        if len(parts) != self.num_paragraphs or self.nth_paragraph > len(parts):
            return False
        first = words(parts[self.nth_paragraph - 1])[:1]
        return [word.casefold() for word in first] == [self.first_word.casefold()]


class NumberLines(Instruction):
    """So many lines that are not empty. Not in IFEval."""

    id: Literal["length_constraints:number_lines"]
    num_lines: Count
    relation: Relation = "exactly"

    def holds(self, text: str) -> bool:
        return meets(sum(bool(line.strip()) for line in text.splitlines()), self.relation, self.num_lines)


class NumberCharacters(Instruction):
    """So many characters, outer white space aside. Not in IFEval."""

    id: Literal["length_constraints:number_characters"]
    num_characters: Count
    relation: Relation

    def holds(self, text: str) -> bool:
        return meets(len(text.strip()), self.relation, self.num_characters)


LENGTHS = (
    NumberWords
    | NumberSentences
    | NumberParagraphs
    | BlankLineParagraphs
    | NthParagraphFirstWord
    | NumberLines
    | NumberCharacters
)
