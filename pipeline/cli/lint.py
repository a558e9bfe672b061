"""``assay lint``: static faults."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from pipeline.cli.command import App, command, complete_names


@command
@click.argument("targets", nargs=-1, metavar="[NAME|FILE.gguf…]", shell_complete=complete_names)
def lint(app: App, targets: tuple[str, ...]) -> int:
    """Find faults in model files and templates without starting an engine. Exit 1 when a spec's gate does not allow
    them.

    \b
    assay lint                   all specs of the catalog
    assay lint tiny-chat
    assay lint some.gguf         a file without a spec: errors exit 1
    """
    from pipeline.flow.prepare import fetch_all, verify_all
    from pipeline.flow.stages import lint_stored
    from pipeline.lint.engine import lint as run
    from pipeline.lint.model import Severity
    from pipeline.lint.subject import subject_of

    answers, lines, code = [], [], 0
    files = [target for target in targets if target.endswith(".gguf")]
    names = [target for target in targets if not target.endswith(".gguf")]
    results = [(target, run(subject_of(Path(target))), "warning") for target in files]
    if names or not targets:
        session = app.session()
        for name in session.names(tuple(names)):
            lock = session.current(name)
            fetch_all(session, [lock])
            verify_all(session, [lock], deep=False)
            results.append((name, lint_stored(session, session.stored(lock)), lock.spec.gates.lint))
    for target, findings, allowed in results:
        limit = -1 if allowed == "none" else Severity(allowed).rank
        bad = [finding for finding in findings if finding.severity.rank > limit]
        code = 1 if bad else code
        answers.append({"target": target, "accepted": not bad, "findings": [asdict(finding) for finding in findings]})
        lines.append(f"{target}: {len(findings)} findings" if findings else f"{target}: no findings")
        for finding in findings:
            lines.append(f"  {finding.severity} {finding.code} {finding.where}: {finding.message}")
            lines += [
                f"      {label}: {text}" for label, text in (("seen", finding.evidence), ("fix", finding.fix)) if text
            ]
    app.answer("lint", {"results": answers}, "\n".join(lines))
    return code
