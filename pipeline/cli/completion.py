"""``assay completion``: completion for shells."""

from __future__ import annotations

import click

from pipeline.cli.command import App, command


@command
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(app: App, shell: str) -> int:
    """Print the completion script of a shell; it completes commands, options and the names of specs.

    \b
    assay completion bash >> ~/.bashrc
    assay completion fish > ~/.config/fish/completions/assay.fish
    """
    from click.shell_completion import BashComplete, FishComplete, ZshComplete

    from pipeline.cli.main import assay

    kind = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}[shell]
    maker = kind(assay, {}, "assay", "_ASSAY_COMPLETE")
    # BashComplete.source() would start a bash to see whether it is new enough.
    script = maker.source_template % maker.source_vars()
    app.answer("completion", {"shell": shell, "script": script}, script, exact=True)
    return 0
