"""What one request may ask for, so that it does not take the engine from everybody else.

Each bound was found by breaking llama-server of the pinned commit. Far beyond one, a single request ends the process (its readers of
grammars, schemas and arguments call themselves for each level) or keeps it for minutes. What a grammar costs can't be told by looking at
it: an engine that such a request keeps busy for too long is started again (``runtime/pulse.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pipeline.deploy.door.answers import Refusal

DEPTH = 200
GRAMMAR = 256 << 10
RULES = 2000
REFERENCES = 1000
CHOICES = 1000
TOP_LOGPROBS = 100
_LISTS = {
    **dict.fromkeys(("messages", "input"), 4096),
    **dict.fromkeys(("prompt", "documents", "texts", "content"), 2048),
    "tools": 512,
    **dict.fromkeys(("stop", "stop_sequences", "dry_sequence_breakers"), 256),
}
_FIGURES = ("logprobs", "top_logprobs", "n_probs")
# llama-server tells itself these between its own layers: a regular expression or a parser that it runs as it is.
_ITS_OWN = ("grammar_triggers", "grammar_lazy", "chat_parser")
_NO_SCHEMA = ("messages", "input", "prompt", "content")
_WIDE = ("enum", "anyOf", "oneOf", "properties")
# Each also ends with the text, so that nothing is looked at twice.
_LITERAL = re.compile(r'"(?:\\.?|[^"\\])*(?:"|\Z)|\[(?:\\.?|[^\]\\])*(?:\]|\Z)|#[^\n]*', re.DOTALL)
_STRING = re.compile(r'"(?:\\.?|[^"\\])*(?:"|\Z)', re.DOTALL)


def check_bounds(content: dict[str, Any]) -> None:
    """Raise Refusal (400) for a request that asks for more than an engine can stand."""
    for name in _ITS_OWN:
        if name in content:
            raise Refusal(400, "not_yours", f"{name} is llama-server's own; a request can't set it")
    for name, most in _LISTS.items():
        value = content.get(name)
        if isinstance(value, list) and sum(not isinstance(one, int) for one in value) > most:
            raise _beyond(f"entries of {name}", most)
    for name in _FIGURES:
        value = content.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value > TOP_LOGPROBS:
            raise _beyond(name, TOP_LOGPROBS)
    _check_depth(content)
    if isinstance(grammar := content.get("grammar"), str):
        _check_grammar(grammar)
    _check_schemas([value for name, value in content.items() if name not in _NO_SCHEMA])


def _check_depth(content: dict[str, Any]) -> None:
    level: list[Any] = [content]
    for _ in range(DEPTH):
        below: list[Any] = []
        for one in level:
            values = one.values() if isinstance(one, dict) else one
            below += [value for value in values if isinstance(value, (dict, list))]
            said = one.get("arguments") if isinstance(one, dict) else None
            if isinstance(said, str) and _nested(_STRING.sub("", said), "[{", "]}"):  # JSON, which the engine reads too
                raise _beyond("levels of arguments", DEPTH)
        if not below:
            return
        level = below
    raise _beyond("levels of JSON", DEPTH)


def _check_grammar(grammar: str) -> None:
    if len(grammar) > GRAMMAR:
        raise _beyond("characters of a grammar", GRAMMAR)
    bare = _LITERAL.sub("", grammar)
    if bare.count("::=") > RULES:
        raise _beyond("rules of a grammar", RULES)
    if _nested(bare, "(", ")"):
        raise _beyond("levels of a grammar", DEPTH)


def _check_schemas(left: list[Any]) -> None:
    references = 0
    while left:
        one = left.pop()
        if isinstance(one, dict):
            references += "$ref" in one
            for name in _WIDE:
                value = one.get(name)
                if isinstance(value, (dict, list)) and len(value) > CHOICES:
                    raise _beyond(f"entries of {name} in a schema", CHOICES)
        if isinstance(one, (dict, list)):
            left += [value for value in _values(one) if isinstance(value, (dict, list))]
    if references > REFERENCES:
        raise _beyond("references in a schema", REFERENCES)


def _values(one: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return one.values() if isinstance(one, dict) else one


def _nested(text: str, opening: str, closing: str) -> bool:
    """Tell whether brackets stand in each other too deeply."""
    depth = 0
    for found in re.finditer(f"[{re.escape(opening + closing)}]", text):
        depth = depth + 1 if found[0] in opening else max(0, depth - 1)
        if depth > DEPTH:
            return True
    return False


def _beyond(what: str, most: int) -> Refusal:
    return Refusal(400, "beyond_bounds", f"a request may have {most} {what}")
