"""``assay gate``: accepted, rejected or unknown."""

from __future__ import annotations

from dataclasses import asdict

from pipeline.cli.command import NAMES, App, command


@command
@NAMES
def gate(app: App, names: tuple[str, ...]) -> int:
    """Judge models by the gates of their specs, from the results on record. Exit 1 unless all are accepted:
    unknown counts as failure. A model that can't be judged keeps no other from its turn.

    \b
    assay gate tiny-chat
    """
    from pipeline.cli.turns import Turns
    from pipeline.flow.judge import judge

    session = app.session(offline=True)
    turns = Turns(session.names(names))
    answers, lines, code = [], [], 0
    for name in turns.names:
        with turns.of(name):
            decision = judge(session, session.current(name))
            answers.append(asdict(decision))
            lines.append(f"{name}: {decision.word}")
            lines += [f"  {reason.verdict:7} {reason.rule}: {reason.said}" for reason in decision.reasons]
            code = code if decision.accepted else 1
    app.answer("gate", {"decisions": answers, "errors": turns.content()}, "\n".join(lines))
    return turns.end(code)
