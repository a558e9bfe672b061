"""What an instruction is, and how texts are cut into words, sentences and paragraphs."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1)]
Texts = Annotated[tuple[Text, ...], Field(strict=False, min_length=1)]
Count = Annotated[int, Field(ge=0, le=100_000)]
Relation = Literal["at least", "less than", "exactly"]

_SHORT = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|e\.g|i\.e|approx|No|Inc|Ltd|[A-Z])\.(?=\s)")
_LISTED = re.compile(r"\s*(?:[-*•+]|\d+[.)]|#+)\s")
_END = re.compile(r"(?<=[.!?…])[\"'”’)\]*_]*\s+|(?<=[。！？])")


class Instruction(BaseModel):
    """One instruction with its arguments; ``id`` names it. A subclass says whether a text keeps it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: str

    def holds(self, text: str) -> bool | None:
        """Tell whether ``text`` keeps the instruction; None where nobody can tell."""
        raise NotImplementedError


def meets(count: int, relation: Relation, wanted: int) -> bool:
    """Compare a count as the relation says."""
    if relation == "exactly":
        return count == wanted
    return count >= wanted if relation == "at least" else count < wanted


def words(text: str) -> list[str]:
    """Return the words: runs of letters, digits and underscores, an apostrophe or hyphen within a word being part of it."""
    return re.findall(r"\w+(?:['’-]\w+)*", text)


def sentences(text: str) -> list[str]:
    """Return the sentences. One ends at . ! ? … (or 。！？) before white space, abbreviations and initials aside, and with
    its paragraph or entry of a list; a piece without a letter or digit is none."""
    found: list[str] = []
    for block in _blocks(text):
        kept = _SHORT.sub(lambda match: match.group()[:-1] + "\0", block)
        found += [piece.replace("\0", ".").strip() for piece in _END.split(kept)]
    return [piece for piece in found if re.search(r"\w", piece)]


def _blocks(text: str) -> list[str]:
    """Return paragraphs and entries of lists, each on one line, without the marks that open an entry."""
    blocks: list[str] = []
    fresh = True
    for line in text.splitlines():
        if not line.strip():
            fresh = True
            continue
        listed = _LISTED.match(line)
        if fresh or listed:
            blocks.append(line[listed.end() :] if listed else line)
        else:
            blocks[-1] += f" {line.strip()}"
        fresh = False
    return blocks


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs: what stands between blank lines."""
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
