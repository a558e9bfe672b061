"""A Modelfile for ``ollama create``, in the folder that the model's files lie in."""

from __future__ import annotations

from pipeline.airgap.layout import Packed
from pipeline.export._base import text_of
from pipeline.spec.modelfile import modelfile_of

FOLDER = False


def render(model: Packed) -> str:
    """Return what the spec says, as far as Ollama can be told: sampling, context, stop strings, and the template, the system prompt
    and the licence that came with a model of Ollama's.
    """
    lock = model.lock
    by_role: dict[str, list[str]] = {}
    for file in lock.files:
        if file.role in ("template", "system", "license"):
            by_role.setdefault(file.role, []).append(text_of(model, file))
    comments = [f"{lock.name}, lock {lock.digest}", *(f"{file.sha256}  {file.path}" for file in lock.files)]
    if len(lock.shards) > 1:
        comments.append(
            f"{lock.weights.path} is the first of a split set: Ollama wants it merged first (llama-gguf-split --merge)"
        )
    text = modelfile_of(
        f"./{lock.weights.path}",
        lock.spec.content(),
        template=next(iter(by_role.get("template", [])), None),
        system=next(iter(by_role.get("system", [])), None),
        adapters=[f"./{file.path}" for file in lock.files if file.role == "lora"],
        licenses=by_role.get("license", []),
        comments=comments,
    )
    return text + (f"FROM ./{lock.mmproj.path}\n" if lock.mmproj else "")
