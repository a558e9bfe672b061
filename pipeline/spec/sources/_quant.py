"""Quantizations by file name: ``Model-Q4_K_M.gguf`` is ``Q4_K_M``; and the one file that a quant names in a folder of many."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.core.errors import NotThere
from pipeline.spec.sources._splits import split_set

# A short piece that is joined on belongs to the quant, known or not: Q4_K_R4 must not be taken for Q4_K.
_TAIL = r"(?:(?:_[A-Z0-9]{1,3}(?![A-Z0-9]))++|(?:-(?:[01]|K|S|M|L|XS|XXS|XL|XXL|NL)(?![A-Z0-9]))++)?+"
_TAG = re.compile(
    rf"(?<![A-Z0-9])(?:UD[-_])?(?:(?:IQ|TQ|Q)[1-8]{_TAIL}|B?F16|F32|FP16|FP32|(?:MX|NV)FP4(?:_MOE)?)(?![A-Z0-9])"
)
_QUANT = re.compile(r"[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*")
_SEPARATORS = re.compile(r"[-_./]")
_NO_WEIGHTS = frozenset({"mmproj", "imatrix", "lora"})
_LATER_PART = re.compile(r"-[0-9]{5}(-of-[0-9]{5}\.gguf)$")
_SHOWN = 12


@dataclass(frozen=True)
class Picked:
    """The files of one model, in order, and how they were picked, in words."""

    paths: tuple[str, ...]
    rule: str = ""


def is_quant(text: str) -> bool:
    """Tell whether ``text`` may name a quantization; it need not be one that llama.cpp knows today."""
    return len(text) <= 40 and _QUANT.fullmatch(text) is not None


def quant_of(path: str) -> str | None:
    """Return the quant that a file's name tells, in capitals and with underscores: the last in its name, else in its folders."""
    folders, _, name = path.upper().rpartition("/")
    for text in (name, folders):
        if found := _TAG.findall(text):
            return _spelt(found[-1])
    return None


def pick_quant(paths: Iterable[str], quant: str, where: str) -> Picked:
    """Return the one file, or split set, whose quant is ``quant``; what is no weights is never one of them.

    Raises NotThere that lists the candidates when there are several or none, or when a set has holes; ``where`` is the place.
    """
    wanted, there = _spelt(quant.upper()), set(paths)
    models = sorted({_LATER_PART.sub(r"-00001\1", path) for path in there if is_weights(path)})
    fitting = [path for path in models if _fits(quant_of(path), wanted)]
    if len(fitting) > 1:
        hint = "name one of them: hf://ORG/NAME/PATH.gguf"
        raise NotThere(f"{where}: {quant} may be any of {listed(fitting)}", hint=hint)
    if not models:
        raise NotThere(f"{where} holds no GGUF file of weights", hint="look for a repository that does")
    if not fitting:
        quants = sorted({found for path in models if (found := quant_of(path))})
        hint = f"there are: {listed(quants)}" if quants else "name a file: hf://ORG/NAME/PATH.gguf"
        raise NotThere(f"{where}: no file is {quant}; its models are: {listed(models)}", hint=hint)
    whole = whole_set(there, fitting[0], where)
    split = f", a set of {len(whole)} files" if len(whole) > 1 else ""
    return Picked(whole, f"the only one of quant {wanted} among {len(models)} models{split}")


def whole_set(there: set[str], path: str, where: str) -> tuple[str, ...]:
    """Return ``path`` and, if it is the first of a split set, the others in order. Raises NotThere when some are missing."""
    names = split_set(path)
    if missing := [name for name in names if name not in there]:
        said = f"{where}: of the set of {len(names)} files these are missing: {listed(missing)}"
        raise NotThere(said, hint="the upload is incomplete: take another revision or another model")
    return names


def is_weights(path: str) -> bool:
    """Tell whether a file may hold a model's weights, by its name: a projector, an importance matrix and an adapter don't."""
    lower = path.lower()
    return lower.endswith(".gguf") and _NO_WEIGHTS.isdisjoint(_SEPARATORS.split(lower))


def listed(names: list[str]) -> str:
    """Return names for people: some of them when they are many, none as it is when it could deceive."""
    shown = [name if name.isprintable() else repr(name) for name in names[:_SHOWN]]
    more = [f"and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return ", ".join([*shown, *more])


def _fits(quant: str | None, wanted: str) -> bool:
    """``Q4_K_XL`` may also be the ``UD-Q4_K_XL`` that some publishers make; it is never the other way round."""
    return quant is not None and wanted in (quant, quant.removeprefix("UD-"))


def _spelt(quant: str) -> str:
    """Return the one spelling of a quant in capitals: ``Q4-K-M`` is ``Q4_K_M``, ``FP16`` is ``F16``."""
    dynamic, bare = ("UD-", quant[3:]) if re.match("UD[-_]", quant) else ("", quant)
    return dynamic + {"FP16": "F16", "FP32": "F32"}.get(bare, bare.replace("-", "_"))
