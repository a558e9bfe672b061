"""Which metadata of a file a spec may correct: the keys of the tokenizer that llama.cpp reads through ``--override-kv``.

It takes an override of another type than the key's for none at all, with a line in its log; so each key has one type
here. Lists (tokens, their types, merges) and what shapes the network can't be corrected, only mended in the file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

Value = bool | int | str

PREFIX = "tokenizer.ggml."
ROLES = ("bos", "eos", "eot", "eom", "unknown", "seperator", "padding", "mask")  # spelt as the format spells them
FILLERS = ("fim_pre", "fim_suf", "fim_mid", "fim_pad", "fim_rep", "fim_sep")
TYPES: Mapping[str, type] = {
    **{f"{PREFIX}{role}_token_id": int for role in (*ROLES, *FILLERS)},
    f"{PREFIX}add_bos_token": bool,
    f"{PREFIX}add_eos_token": bool,
    f"{PREFIX}pre": str,
}
"""Key -> the type of its value."""

_NAMES = {int: "a token id", bool: "true or false", str: "the name of a pre-tokenizer"}
_WORDS = {int: "int", bool: "bool", str: "str"}
_PRE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")
_MOST = 2**31 - 1


def fits(key: str, value: object) -> bool:
    """Tell whether a spec may give ``value`` to ``key``."""
    if type(value) is not TYPES.get(key):
        return False
    if isinstance(value, str):
        return _PRE.fullmatch(value) is not None
    return 0 <= value <= _MOST if isinstance(value, int) else False


def _checked(values: Any) -> Any:
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        return values  # pydantic says what is wrong
    for key, value in values.items():
        if key not in TYPES:
            near = difflib.get_close_matches(key, TYPES, n=1)
            more = f"; did you mean {near[0]}?" if near else f": those that can are {', '.join(TYPES)}"
            context = {"key": key, "more": more}
            raise PydanticCustomError("no_override", "{key} can't be overridden{more}", context)
        if not fits(key, value):
            context = {"key": key, "want": _NAMES[TYPES[key]], "value": repr(value)[:80]}
            raise PydanticCustomError("wrong_override", "{key} wants {want}, not {value}", context)
    return dict(sorted(values.items()))


Overrides = Annotated[dict[str, Value], BeforeValidator(_checked)]


def argument(key: str, value: Value) -> str:
    """Return an override as llama-server reads it: ``KEY=TYPE:VALUE``."""
    return f"{key}={_WORDS[TYPES[key]]}:{str(value).lower() if isinstance(value, bool) else value}"
