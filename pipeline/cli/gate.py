"""``assay gate``: accepted, rejected or unknown."""

from __future__ import annotations

from dataclasses import asdict

from pipeline.cli.command import NAMES, App, command


@command
@NAMES
def gate(app: App, names: tuple[str, ...]) -> int:
    """Judge models by the gates of their specs, from the results on record. Exit 1 unless all are accepted:
    unknown counts as failure.

    \b
    assay gate tiny-chat
    """
    from pipeline.flow.judge import judge

    session = app.session(offline=True)
    answers, lines, code = [], [], 0
    for name in session.names(names):
        decision = judge(session, session.current(name))
        answers.append(asdict(decision))
        lines.append(f"{name}: {decision.word}")
        lines += [f"  {reason.verdict:7} {reason.rule}: {reason.said}" for reason in decision.reasons]
        code = code if decision.accepted else 1
    app.answer("gate", {"decisions": answers}, "\n".join(lines))
    return code
