"""``assay serve``: serve exactly what was tested."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from pipeline.cli.command import NAME, App, command

if TYPE_CHECKING:
    from pipeline.flow.serve import Service


@command
@NAME
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option("--port", type=click.IntRange(0, 65535), help="Default: the spec's; 0 takes a free one.")
def serve(app: App, name: str, host: str, port: int | None) -> int:
    """Serve a model, OpenAI-compatible, in the foreground: hash every byte, start, prove, answer. Ctrl-C stops it.

    \b
    assay serve tiny-chat
    curl http://127.0.0.1:8080/v1/models -H "Authorization: Bearer $(cat .assay/serve/tiny-chat/key)"
    """
    from pipeline.flow.judge import decision_on_record
    from pipeline.flow.serve import serve as serve_

    session = app.session()
    lock = session.current(name)
    decision = decision_on_record(session, lock)
    verdict = "none on record" if decision is None else "accepted" if decision.accepted else "rejected"
    if verdict != "accepted":
        session.progress.note(
            f"note: the gate's decision on {lock.name} for this engine and hardware: {verdict} (assay run {lock.name})"
        )

    def started(service: Service) -> None:
        content = {
            "name": lock.name,
            "url": f"{service.url}/v1",
            "models": list(service.names),
            "key_file": str(service.key_file),
            "log": str(service.log),
            "pid": service.process.pid,
            "lock": str(lock.digest),
            "engine": str(session.engine.identity.digest),
            "weights": lock.weights.sha256,
            "decision": verdict,
        }
        text = (
            f"{lock.name} is served at {service.url}/v1\n"
            f"  model    {service.names[0]}\n           {service.names[1]}\n"
            f"  API key  in {service.key_file}\n"
            f"  lock     {lock.digest}\n"
            f"  decision {verdict}\n"
            f"  log      {service.log}\n"
            "Ctrl-C stops it."
        )
        app.answer("serve", content, text)
        sys.stdout.flush()

    serve_(session, lock, host=host, port=lock.spec.deploy.port if port is None else port, started=started)
    return 0
