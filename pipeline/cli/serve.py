"""``assay serve``: serve exactly what was tested."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.command import NAME, App, command
from pipeline.core.errors import UsageError

if TYPE_CHECKING:
    from pipeline.flow.serve import Service


@command
@NAME
@click.option("--host", default="127.0.0.1", show_default=True, help="Any but loopback needs --keys and TLS.")
@click.option("--port", type=click.IntRange(0, 65535), help="Default: the spec's; 0 takes a free one.")
@click.option("--keys", type=click.Path(path_type=Path), help="Lines NAME KEY, mode 0600; read again when it changes.")
@click.option("--tls-cert", type=click.Path(path_type=Path), help="The certificate with its chain, PEM.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="Its private key, PEM.")
@click.option("--origin", "origins", multiple=True, help="A site whose pages may ask: https://app.example.com")
@click.option("--host-name", "hosts", multiple=True, help="A name by which clients call this machine.")
@click.option("--queue", type=click.IntRange(0, 100000), default=64, show_default=True, help="Requests that may wait.")
@click.option("--drain", type=click.FloatRange(0, 3600), default=0.0, help="Seconds for answers to end at a stop.")
def serve(
    app: App,
    name: str,
    host: str,
    port: int | None,
    keys: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    origins: tuple[str, ...],
    hosts: tuple[str, ...],
    queue: int,
    drain: float,
) -> int:
    """Serve a model, OpenAI-compatible, in the foreground: hash every byte, start, prove, answer. Ctrl-C stops it.

    \b
    assay serve tiny-chat
    curl http://127.0.0.1:8080/v1/models -H "Authorization: Bearer $(cat .assay/serve/tiny-chat/key)"
    """
    from pipeline.flow.judge import decision_on_record
    from pipeline.flow.serve import Access
    from pipeline.flow.serve import serve as serve_

    if (tls_cert is None) != (tls_key is None):
        raise UsageError("--tls-cert and --tls-key belong together", hint="give both, or neither")
    access = Access(
        keys=keys,
        tls=(tls_cert, tls_key) if tls_cert and tls_key else None,
        origins=frozenset(origins),
        hosts=frozenset(one.lower() for one in hosts),
        queue=queue,
        drain=drain,
    )

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
            "models": list(service.backend.upstream.names),
            "key_file": str(service.key_file),
            "log": str(service.backend.log),
            "access_log": str(service.access_log),
            "pid": service.backend.process.pid,
            "lock": str(lock.digest),
            "engine": str(session.engine.identity.digest),
            "weights": lock.weights.sha256,
            "decision": verdict,
        }
        text = (
            f"{lock.name} is served at {service.url}/v1\n"
            f"  model    {service.backend.upstream.names[0]}\n           {service.backend.upstream.names[1]}\n"
            f"  API key  in {service.key_file}\n"
            f"  lock     {lock.digest}\n"
            f"  decision {verdict}\n"
            f"  log      {service.backend.log}\n"
            f"  requests {service.access_log}\n"
            "Ctrl-C stops it."
        )
        app.answer("serve", content, text)
        sys.stdout.flush()

    at = lock.spec.deploy.port if port is None else port
    serve_(session, lock, host=host, port=at, started=started, access=access)
    return 0
