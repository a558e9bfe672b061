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
    from click.shell_completion import get_completion_class

    from pipeline.cli.main import assay

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(assay, {}, "assay", "_ASSAY_COMPLETE").source())
    return 0
