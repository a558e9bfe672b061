"""``assay stop``: take a deployment out of service."""

from __future__ import annotations

from pipeline.cli.command import NAME, App, command


@command
@NAME
def stop(app: App, name: str) -> int:
    """Stop a local deployment and record it; of other targets only record it, the files say how they are stopped.

    \b
    assay stop tiny-chat
    """
    from pipeline.flow.deploying import stop as stop_

    line = stop_(app.session(offline=True), name)
    content = {"name": name, "line": line.number, "digest": line.digest, "lock": line.event.lock}
    app.answer("stop", content, f"{name} is stopped: line {line.number} of the log")
    return 0
