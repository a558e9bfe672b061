"""The first spec of a model: what ``assay init`` writes."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pipeline.core.errors import UsageError
from pipeline.gguf.facts import facts_of
from pipeline.gguf.header import read_header
from pipeline.spec import yaml

CONTEXT = 4096
_SPEC = """\
# Every key and its default: assay schema. What to do next: assay lock {name} && assay run {name}
name: {name}
source: {source}
license:
  allow: [apache-2.0, mit]
engine:
  context: {context}
  slots: 1
gates:
  lint: warning
"""


def first_spec(name: str, source: str, specs: Path) -> str:
    """Return the text of a spec that will lie in the folder ``specs``. A ``source`` that is a file's path from here becomes its
    reference; the context is no longer than the file's model was trained on.
    """
    if ":" not in source and Path(source).is_file():
        source = f"file:{os.path.relpath(Path(source).resolve(), specs.resolve())}"
    # A source may hold what YAML takes for its own, such as " #"; as JSON it is plain text.
    plain = yaml.parse(f"x: {source}", f"{name}.yaml")
    as_is = not plain.problems and plain.value == {"x": source}
    context = CONTEXT
    if source.startswith("file:"):  # the folder of specs may not be there yet, and ".." would lead nowhere
        context = min(CONTEXT, _trained(Path(os.path.normpath(specs / source.removeprefix("file:")))))
    return _SPEC.format(name=name, source=source if as_is else json.dumps(source), context=context)


def _trained(path: Path) -> int:
    """Return the context that a file's model was trained on; ``CONTEXT`` where it does not say."""
    try:
        return facts_of(read_header(path)).context_length or CONTEXT
    except UsageError:
        return CONTEXT
