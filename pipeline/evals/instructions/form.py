"""The form of an answer: lists, titles, sections, JSON, how it begins and ends."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from pipeline.evals.instructions._base import Count, Instruction, Relation, Text, Texts, meets
from pipeline.evals.matching import json_of

_YES_NO = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


class NumberBulletLists(Instruction):
    """Exactly so many entries that begin with ``*`` or ``-``."""

    id: Literal["detectable_format:number_bullet_lists"]
    num_bullets: Count

    def holds(self, text: str) -> bool:
        return len(re.findall(r"^\s*(?:\*(?!\*)|-(?!-))\s*\S", text, re.MULTILINE)) == self.num_bullets


class NumberedList(Instruction):
    """Exactly so many entries that are numbered ``1.`` or ``1)`` and on, without a gap. Not in IFEval."""

    id: Literal["detectable_format:numbered_list"]
    num_items: Count

    def holds(self, text: str) -> bool:
        numbers = [int(number) for number in re.findall(r"^\s*(\d{1,4})[.)]\s+\S", text, re.MULTILINE)]
        return numbers == list(range(1, self.num_items + 1))


class ConstrainedResponse(Instruction):
    """One of a few answers stands in it (default: My answer is yes, no or maybe)."""

    id: Literal["detectable_format:constrained_response"]
    options: Texts = _YES_NO

    def holds(self, text: str) -> bool:
        return any(option in text for option in self.options)


class NumberHighlightedSections(Instruction):
    """At least so many parts stand between asterisks: ``*so*``."""

    id: Literal["detectable_format:number_highlighted_sections"]
    num_highlights: Count

    def holds(self, text: str) -> bool:
        # Both *so* and **so** count once each.
        found = re.findall(r"\*\*[^\n*]+\*\*|(?<!\*)\*[^\n*]+\*(?!\*)", text)
        return sum(bool(part.strip("*").strip()) for part in found) >= self.num_highlights


class MultipleSections(Instruction):
    """At least so many sections, each headed by a word and its number: ``Section 1``."""

    id: Literal["detectable_format:multiple_sections"]
    section_spliter: Text
    num_sections: Count

    def holds(self, text: str) -> bool:
        return len(re.findall(rf"(?<!\w){re.escape(self.section_spliter)}\s+\d+", text)) >= self.num_sections


class JsonFormat(Instruction):
    """The whole answer is JSON, bare or in one code fence."""

    id: Literal["detectable_format:json_format"]

    def holds(self, text: str) -> bool:
        try:
            json_of(text)
        except ValueError:
            return False
        return True


class Title(Instruction):
    """A title stands in double angle brackets: ``<<so>>``."""

    id: Literal["detectable_format:title"]

    def holds(self, text: str) -> bool:
        return any(title.strip() for title in re.findall(r"<<([^\n<>]+)>>", text))


class TwoResponses(Instruction):
    """Two different answers, divided by ``******``."""

    id: Literal["combination:two_responses"]

    def holds(self, text: str) -> bool:
        parts = [part.strip() for part in text.split("******")]
        inner = parts[1 if not parts[0] else 0 : -1 if not parts[-1] else None]
        return len(inner) == 2 and all(inner) and inner[0] != inner[1]


class RepeatPrompt(Instruction):
    """The answer begins with a given text, letter case aside, and goes on after it."""

    id: Literal["combination:repeat_prompt"]
    prompt_to_repeat: Text

    def holds(self, text: str) -> bool:
        found, wanted = text.strip().casefold(), self.prompt_to_repeat.strip().casefold()
        return found.startswith(wanted)


class StartChecker(Instruction):
    """The answer begins with a phrase, letter case aside. Not in IFEval."""

    id: Literal["startend:start_checker"]
    start_phrase: Text

    def holds(self, text: str) -> bool:
        return text.strip().casefold().startswith(self.start_phrase.strip().casefold())


class EndChecker(Instruction):
    """The answer ends with a phrase, letter case and a final quotation mark aside."""

    id: Literal["startend:end_checker"]
    end_phrase: Text

    def holds(self, text: str) -> bool:
        return text.strip().strip('"').casefold().endswith(self.end_phrase.strip().casefold())


class Quotation(Instruction):
    """The whole answer stands in double quotation marks."""

    id: Literal["startend:quotation"]

    def holds(self, text: str) -> bool:
        found = text.strip()
        return len(found) > 2 and found[0] == '"' and found[-1] == '"'


class SeparatedList(Instruction):
    """The whole answer is so many entries on one line, divided by a mark. Not in IFEval."""

    id: Literal["detectable_format:separated_list"]
    separator: Annotated[str, Field(min_length=1, max_length=3)]
    num_items: Count
    relation: Relation = "exactly"

    def holds(self, text: str) -> bool:
        parts = [part.strip() for part in text.strip().split(self.separator)]
        return "\n" not in text.strip() and all(parts) and meets(len(parts), self.relation, self.num_items)


FORMS = (
    NumberBulletLists
    | NumberedList
    | ConstrainedResponse
    | NumberHighlightedSections
    | MultipleSections
    | JsonFormat
    | Title
    | TwoResponses
    | RepeatPrompt
    | StartChecker
    | EndChecker
    | Quotation
    | SeparatedList
)
