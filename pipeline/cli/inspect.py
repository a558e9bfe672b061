"""``assay inspect``: what a GGUF file says of itself."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.command import App, command, complete_names


@command
@click.argument("target", metavar="NAME|FILE.gguf", shell_complete=complete_names)
@click.option("--template", is_flag=True, help="Print the chat template instead.")
def inspect(app: App, target: str, template: bool) -> int:
    """Show the facts of a GGUF file: architecture, sizes, quantization, tokens, template, memory.

    \b
    assay inspect tiny-chat
    assay inspect ~/models/some.gguf --json
    """
    from pipeline.flow.prepare import verify_all
    from pipeline.gguf.facts import facts_of
    from pipeline.gguf.header import read_header
    from pipeline.gguf.memory import estimate

    if target.endswith(".gguf"):
        path, engine = Path(target), None
    else:
        session = app.session(offline=True)
        lock = session.current(target)
        verify_all(session, [lock], deep=False)
        path, engine = session.stored(lock).weights, lock.spec.engine
    header = read_header(path)
    facts = facts_of(header)
    if template:
        app.answer("template", {"chat_template": facts.chat_template}, facts.chat_template or "", exact=True)
        return 0 if facts.chat_template else 1
    content = facts.summary()
    context = engine.context if engine else facts.context_length or 4096
    memory = estimate(
        header,
        context=context,
        slots=engine.slots if engine else 1,
        cache_type_k=engine.cache_type_k if engine else "f16",
        cache_type_v=engine.cache_type_v if engine else "f16",
    )
    content["memory"] = {"weights": memory.weights, "kv": memory.kv, "total": memory.total, "context": context}
    said = f"{memory.total >> 20} MiB: weights {memory.weights >> 20}, KV cache {memory.kv >> 20} for a context of {context}"
    width = max(map(len, content))
    shown = {**content, "memory": said}
    lines = [f"{key.ljust(width)}  {value}" for key, value in shown.items() if value is not None]
    app.answer("inspect", {"file": str(path), **content}, "\n".join(lines))
    return 0
