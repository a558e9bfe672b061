"""From a Modelfile to the text of a spec, and what could not be said in it."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from pipeline.core.errors import UsageError
from pipeline.spec.model import Engine, Sampling
from pipeline.spec.modelfile import PARAMETERS, Modelfile, Parameter
from pipeline.spec.sources._base import source_of
from pipeline.spec.sources._licenses import license_of

_PARTS: dict[str, type[Sampling] | type[Engine]] = {"sampling": Sampling, "engine": Engine}
# A blob in a store of Ollama: what ``ollama show --modelfile`` writes behind FROM.
_STORED = re.compile(r".*[/\\]sha256[-:]([0-9a-f]{64})")
_HUGGING_FACE = re.compile(r"(?:https?://)?(?:hf\.co|huggingface\.co)/([^/:]+/[^/:]+)(?::(.+))?")
_DEFAULT_QUANT = "Q4_K_M"
# What Ollama does where neither the Modelfile nor the model says otherwise.
_TEMPERATURE = 0.8


def spec_of(modelfile: Modelfile, name: str, *, folder: str = ".") -> tuple[str, list[str]]:
    """Return the text of ``specs/NAME.yaml`` and notes on what Ollama would do and the spec does not say.

    ``folder`` is where the Modelfile lies, seen from the spec's folder. Raises UsageError for a FROM that no source can fetch, and for
    a parameter that is no value for a spec.
    """
    notes: list[str] = []
    content: dict[str, Any] = {"name": name, **_source(modelfile, folder, notes)}
    said = {license_of(text) for text in modelfile.licenses}
    if len(said) == 1 and None not in said:
        content["license"] = {"id": said.pop()}
    elif modelfile.licenses:
        notes.append("LICENSE is left out: which licence it is can't be told by how it begins; see license.id")
    for parameter in modelfile.parameters:
        _take(parameter, content, notes)
    if content.get("engine", {}).get("batch", 512) < 512:
        content["engine"]["micro_batch"] = content["engine"]["batch"]
    if "temperature" not in content.get("sampling", {}):
        notes.append(f"no temperature is said: Ollama draws with {_TEMPERATURE}, the spec's default is 0, greedy")
    notes += _left_out(modelfile)
    return _yaml(content), notes


def _source(modelfile: Modelfile, folder: str, notes: list[str]) -> dict[str, str]:
    value, *more = modelfile.sources
    notes += [f"FROM {other} is left out: a spec has one source" for other in more]
    stated: dict[str, str] = {}
    if stored := _STORED.fullmatch(value):
        if not modelfile.shown:
            hint = "put the model's own name behind FROM, as in FROM qwen3:0.6b"
            raise UsageError(f"FROM {value} is a file in Ollama's store, which says of no model", hint=hint)
        value, stated = modelfile.shown, {"sha256": f"sha256:{stored[1]}"}
    source = _reference(value, folder, notes)
    source_of(source).check(source)
    return {"source": source, **stated}


def _reference(value: str, folder: str, notes: list[str]) -> str:
    if found := _HUGGING_FACE.fullmatch(value):
        repository, tag = found[1], found[2]
        if not tag or tag == "latest":
            notes.append(f"FROM {value} names no quant: {_DEFAULT_QUANT} is taken, as Ollama does where it is there")
            tag = _DEFAULT_QUANT
        return f"hf://{repository}/{tag}" if tag.lower().endswith(".gguf") else f"hf://{repository}:{tag}"
    path = PurePosixPath(value)
    if value.lower().endswith(".gguf") or value.startswith((".", "/", "~")):
        if path.suffix.lower() != ".gguf":
            raise UsageError(
                f"FROM {value} is no GGUF file", hint="convert it to GGUF first, or name a model of Ollama"
            )
        return f"file:{path if path.is_absolute() else PurePosixPath(folder) / path}"
    return f"ollama://{re.sub('^https?://', '', value)}"


def _take(parameter: Parameter, content: dict[str, Any], notes: list[str]) -> None:
    """Put a parameter where a spec has it, or note that it has none."""
    name, text = parameter.name.lower(), parameter.value
    if name == "stop":
        content.setdefault("chat", {}).setdefault("stop", []).append(text)
        return
    if name == "use_mmap" and text.lower() in ("true", "false"):
        content.setdefault("engine", {})["load"] = "mmap" if text.lower() == "true" else "copy"
        return
    if name not in PARAMETERS:
        notes.append(f"PARAMETER {name} {text} is left out: a spec has no such key")
        return
    part, key = PARAMETERS[name]
    value = _number(text)
    if value is not None and value < 0 and name in ("num_predict", "seed", "num_gpu", "num_thread"):
        notes.append(
            f"PARAMETER {name} {text} is left out: the spec's default of {part}.{key} says what is done instead"
        )
        return
    whole = isinstance(value, float) and value.is_integer() and _PARTS[part].model_fields[key].annotation is not float
    value = int(value) if whole and value is not None else value
    try:
        _PARTS[part].model_validate({key: value, **({"micro_batch": 1} if key == "batch" else {})})
    except ValidationError as error:
        message = f"line {parameter.line} of the Modelfile: {name} {text[:60]}: {error.errors()[0]['msg'].lower()}"
        raise UsageError(message, hint=f"a spec calls it {part}.{key}") from None
    content.setdefault(part, {})[key] = value


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(text) if len(text) < 40 else None
        except ValueError:
            continue
    return None


def _left_out(modelfile: Modelfile) -> list[str]:
    notes = []
    if modelfile.template is not None:
        hint = "compare the model's own Jinja template, and write another for chat.template where it differs"
        notes.append(f"TEMPLATE is left out: it is in the language of Go; {hint}")
    if modelfile.system is not None:
        notes.append("SYSTEM is left out: send it as the first message, or write it into a chat.template")
    if modelfile.messages:
        notes.append(f"{len(modelfile.messages)} MESSAGE are left out: send them before the first question")
    notes += [f"ADAPTER {adapter} is left out: a spec has no such key" for adapter in modelfile.adapters]
    return notes + [f"{command} {value} is left out: only Ollama knows it" for command, value in modelfile.others]


def _yaml(content: dict[str, Any]) -> str:
    lines = []
    for key, value in content.items():
        if isinstance(value, dict):
            lines.append(f"{key}:")
            lines += [f"  {inner}: {_scalar(one)}" for inner, one in value.items()]
        else:
            lines.append(f"{key}: {_scalar(value)}")
    return "\n".join(lines) + "\n"


def _scalar(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_scalar(one) for one in value)}]"
    if not isinstance(value, str):
        return json.dumps(value)
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_./@-]*(:[A-Za-z0-9_./@-]+)*", value) and value.lower() not in _WORDS:
        return value
    return "".join(_escaped(letter) for letter in json.dumps(value, ensure_ascii=False))


_WORDS = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")


def _escaped(letter: str) -> str:
    """Return a character of a quoted YAML string; what doesn't print is spelt out."""
    return letter if letter.isprintable() else f"\\U{ord(letter):08X}"
