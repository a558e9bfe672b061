"""``assay serve``: serve exactly what was tested."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.amounts import MEMORY, SPAN
from pipeline.cli.command import App, command, complete_names
from pipeline.cli.served import content_of, text_of
from pipeline.core.errors import UsageError

if TYPE_CHECKING:
    from pipeline.flow.serve import Service


@command
@click.argument("names", nargs=-1, required=True, metavar="NAME…", shell_complete=complete_names)
@click.option("--host", default="127.0.0.1", show_default=True, help="Any but loopback needs --keys and TLS.")
@click.option("--port", type=click.IntRange(0, 65535), help="Default: the spec's; 0 takes a free one.")
@click.option("--keys", type=click.Path(path_type=Path), help="Lines NAME KEY, mode 0600; read again when it changes.")
@click.option("--tls-cert", type=click.Path(path_type=Path), help="The certificate with its chain, PEM.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="Its private key, PEM.")
@click.option("--origin", "origins", multiple=True, help="A site whose pages may ask: https://app.example.com")
@click.option("--host-name", "hosts", multiple=True, help="A name by which clients call this machine.")
@click.option("--queue", type=click.IntRange(0, 100000), default=64, show_default=True, help="Requests that may wait.")
@click.option("--memory", type=MEMORY, help="What all models may take together: 8GiB. Default: the machine's memory.")
@click.option("--idle", type=SPAN, help="Unload a model that nobody has asked for so long: 10m. Default: never.")
@click.option("--drain", type=click.FloatRange(0, 3600), default=0.0, help="Seconds for answers to end at a stop.")
def serve(
    app: App,
    names: tuple[str, ...],
    host: str,
    port: int | None,
    keys: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    origins: tuple[str, ...],
    hosts: tuple[str, ...],
    queue: int,
    memory: int | None,
    idle: float | None,
    drain: float,
) -> int:
    """Serve models, OpenAI-compatible, in the foreground: hash every byte, start, prove, answer. Ctrl-C stops it.

    Several stand behind one address. Those that don't fit into memory together are loaded when they are asked for, and
    the one that was not asked for longest is unloaded.

    \b
    assay serve tiny-chat
    assay serve tiny-chat my-model --memory 8GiB --idle 10m
    curl http://127.0.0.1:8080/v1/models -H "Authorization: Bearer $(cat .assay/serve/tiny-chat/key)"
    """
    from pipeline.flow.decided import decision_on_record
    from pipeline.flow.serve import Access
    from pipeline.flow.serve import serve as serve_
    from pipeline.record.model import word_of

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
    locks = [session.current(name) for name in session.names(names)]
    verdicts = {}
    for lock in locks:
        decision = decision_on_record(session, lock)
        verdict = word_of(decision)
        verdicts[lock.name] = verdict
        if verdict != "accepted":
            session.progress.note(
                f"note: the gate's decision on {lock.name} for this engine and hardware: {verdict} (assay run {lock.name})"
            )

    def started(service: Service) -> None:
        engine = str(session.engine.identity.digest)
        app.answer("serve", content_of(service, verdicts, engine), text_of(service, verdicts), must=True)
        sys.stdout.flush()

    at = locks[0].spec.deploy.port if port is None else port
    serve_(session, *locks, host=host, port=at, started=started, access=access, memory=memory, idle=idle)
    return 0
