"""``assay mirror``: models into a folder or a registry of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.command import App, command, complete_names
from pipeline.core.errors import UsageError


@command
@click.argument("target", metavar="DIR|oci://REGISTRY/REPOSITORY")
@click.argument("names", nargs=-1, metavar="[NAME…]", shell_complete=complete_names)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["modelpack", "docker"]),
    default="modelpack",
    help="How a registry gets them: as a CNCF ModelPack, or as Docker's model runner packs them.",
)
def mirror(app: App, target: str, names: tuple[str, ...], format_: Any) -> int:
    """Copy models to a folder, or push them to a registry.

    Only what isn't there yet is copied. A folder is an OCI image layout with all that a bundle has, and can be imported like one. A
    pushed model can be locked from there: its tag is its name. Logins are those of docker login.

    \b
    assay mirror /srv/models                       all that is locked
    assay mirror oci://registry.example.org/models tiny-chat
    """
    from pipeline.flow.airgap import pack

    scheme, found, _ = target.partition("://")
    if found and scheme != "oci":
        hint = "name a folder, or a registry: oci://REGISTRY/REPOSITORY"
        raise UsageError(f"models can't be mirrored to {scheme}://", hint=hint)
    session = app.session(offline=True)
    chosen = session.names(names)
    if target.startswith("oci:"):
        from pipeline.airgap.push import push

        pushed = push(pack(session, chosen, results=False), target, format_, session.progress)
        listed = [vars(one) for one in pushed]
        lines = [f"{one.tagged}\n  {one.pinned}  {one.blobs} new blobs, {one.size} bytes" for one in pushed]
        app.answer("mirror", {"target": target, "models": listed}, "\n".join(lines))
        return 0
    from pipeline.airgap.mirror import mirror as mirror_to

    done = mirror_to(pack(session, chosen), Path(target), session.progress)
    content = {"target": target, "models": list(done.models), "new_blobs": done.blobs, "new_bytes": done.size}
    app.answer("mirror", content, f"{target}: {', '.join(done.models)}\n{done.blobs} new blobs, {done.size} bytes")
    return 0
