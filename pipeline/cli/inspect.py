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
    from pipeline.gguf.header import Header, read_header
    from pipeline.gguf.memory import estimate
    from pipeline.runtime.params import planned

    if target.endswith(".gguf"):
        path, lock = Path(target), None
        headers: tuple[Header, ...] = (read_header(path),)
    else:
        session = app.session(offline=True)
        lock = session.current(target)
        verify_all(session, [lock], deep=False)
        stored = session.stored(lock)
        path, headers = stored.weights, stored.headers()
    facts = facts_of(headers[0])
    if template:
        app.answer("template", {"chat_template": facts.chat_template}, facts.chat_template or "", exact=True)
        return 0 if facts.chat_template else 1
    content = facts.summary()
    context = lock.spec.engine.context if lock else facts.context_length or 4096
    memory = planned(lock, headers) if lock else estimate(headers, context=context, slots=1)
    content["memory"] = {**memory.terms(), "total": memory.total, "context": context, "least": memory.least}
    parts = ", ".join(f"{what} {size >> 20}" for what, size in memory.summands().items() if size >> 20)
    said = f"{'at least ' if memory.least else ''}{memory.total >> 20} MiB for a context of {context}: {parts}"
    said += f" ({memory.least})" if memory.least else ""
    width = max(map(len, content))
    shown = {**content, "memory": said}
    lines = [f"{key.ljust(width)}  {value}" for key, value in shown.items() if value is not None]
    app.answer("inspect", {"file": str(path), **content}, "\n".join(lines))
    return 0
