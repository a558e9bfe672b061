"""``assay explain``: what a lint rule is about."""

from __future__ import annotations

import click

from pipeline.cli.command import App, command


@command
@click.argument("code", required=False)
def explain(app: App, code: str | None) -> int:
    """Explain a lint rule by its code; without one, list all rules.

    \b
    assay explain A101
    """
    from pipeline.cli.console import table
    from pipeline.lint.engine import explain as text_of
    from pipeline.lint.engine import rules

    if code:
        text = text_of(code)
        app.answer("explain", {"code": code, "text": text}, text)
        return 0
    rows = [[rule.code, rule.severity.value, rule.summary] for rule in rules().values()]
    listed = [dict(zip(("code", "severity", "summary"), row, strict=True)) for row in rows]
    app.answer("rules", {"rules": listed}, table(["code", "severity", "what"], rows))
    return 0
