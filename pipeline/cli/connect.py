"""``assay connect``: how a client is told to use a served model."""

from __future__ import annotations

import click

from pipeline.cli.command import NAME, App, command


@command
@click.argument("client", metavar="CLIENT")
@NAME
@click.option("--url", help="Where the model is served, without /v1. Default: this machine, the spec's port.")
def connect(app: App, client: str, name: str, url: str | None) -> int:
    """Print a configuration for a client: openai, langchain, llamaindex, litellm, continue, open-webui, claude-code or llm.

    It asks for the model by the digest of its weights. The key is not printed: the configuration takes it from the file that
    `assay serve` made, or from the environment.

    \b
    assay connect openai tiny-chat > ask.py
    assay connect litellm tiny-chat --url https://models.example.org > config.yaml
    """
    from pipeline.connect._base import client_of
    from pipeline.flow.connecting import target_of

    kind = client_of(client)
    session = app.session(offline=True)
    target = target_of(session, session.current(name), url)
    text = kind.render(target)
    content = {
        "client": client,
        "name": name,
        "model": target.pinned,
        "url": target.url,
        "key_file": str(target.key_file),
        "text": text,
    }
    app.answer("connect", content, text.rstrip("\n"), exact=True)
    return 0
