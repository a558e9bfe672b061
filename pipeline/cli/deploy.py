"""``assay deploy``: put into service what the gate accepted."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.command import NAME, PUBLIC_KEYS, App, command

if TYPE_CHECKING:
    from pipeline.attest.keys import PublicKey

LOCAL = "local"


@command
@NAME
@click.option("--target", default=LOCAL, show_default=True, help="local, systemd, quadlet, compose or kube.")
@click.option("--plan", "only", is_flag=True, help="Show what would be done; nothing is written or started.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="The folder for the files that are written.")
@click.option("--port", type=click.IntRange(0, 65535), help="Default: as it is, or the spec's; 0 takes a free one.")
@click.option("--image", default="", metavar="NAME@sha256:…", help="The container image, by digest.")
@click.option("--override", default="", metavar="REASON", help="Deploy although the gate did not accept; recorded.")
@PUBLIC_KEYS
def deploy(
    app: App,
    name: str,
    target: str,
    only: bool,
    output: Path | None,
    port: int | None,
    image: str,
    override: str,
    public_keys: tuple[Path, ...],
) -> int:
    """Deploy a model that the gate accepted on this class of hardware, and record who did it, and with which bytes.

    `local` starts it here, under a process that watches it; what runs under this name answers until the new engine does. The other
    targets write files, which hash every byte again before each start. With a public key, only what it attests is deployed.

    \b
    assay deploy tiny-chat
    assay deploy tiny-chat --public-key key.pub
    assay deploy tiny-chat --target systemd --plan
    assay deploy tiny-chat --target kube -o deploy/ --image ghcr.io/ggml-org/llama.cpp@sha256:…
    """
    from pipeline.flow.ahead import ahead

    with ExitStack() as held:
        # Its imports and ours take as long as all else of a small model: they go side by side.
        keeper = held.enter_context(ahead(app.project(), app.engine, name)) if target == LOCAL and not only else None
        from pipeline.cli.deployed import show, show_plan
        from pipeline.flow.deploying import Wanted, plan
        from pipeline.flow.deploying import deploy as deploy_
        from pipeline.record.model import word_of

        _require_used(target, only, output, image, port)
        session = app.session(offline=only)
        lock = session.current(name)
        wanted = Wanted(target, port, image, override, output)
        if only:
            planned, decision = plan(session, lock, wanted, _keys(public_keys))
            show_plan(app, planned, word_of(decision))
        else:
            show(app, "deploy", deploy_(session, lock, wanted, _keys(public_keys), keeper))
    return 0


def _require_used(target: str, only: bool, output: Path | None, image: str, port: int | None) -> None:
    """Raise UsageError for an option that the target wants or has no use for: dropped, it would seem to hold."""
    from pipeline.core.errors import UsageError
    from pipeline.deploy.targets._base import target_of

    known = target_of(target)
    if output and known.STARTS:
        raise UsageError(f"{target} writes no files", hint="leave -o out, or name one that does with --target")
    if image and not known.IMAGE:
        hint = "leave --image out, or name one that does with --target"
        raise UsageError(f"{target} runs the engine of this machine and takes no image", hint=hint)
    if port == 0 and not known.STARTS:
        hint = "name one with --port, or leave it out: the spec's"
        raise UsageError(
            f"a free port is found at the start, and {target} starts later: nobody would know it", hint=hint
        )
    if not (only or known.STARTS or output):
        raise UsageError(f"{target} writes files", hint="name a folder for them with -o, or look at them with --plan")


def _keys(paths: tuple[Path, ...]) -> tuple[PublicKey, ...]:
    if not paths:
        return ()
    from pipeline.attest.keys import read_all  # cryptography, which most deployments do without

    return read_all(paths)
