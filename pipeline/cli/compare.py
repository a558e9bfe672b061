"""``assay compare``: is the second better than the first?"""

from __future__ import annotations

from dataclasses import asdict

import click

from pipeline.cli.command import App, command, complete_names, listed


@command
@click.argument("a", metavar="A", shell_complete=complete_names)
@click.argument("b", metavar="B", shell_complete=complete_names)
@click.option("--suite", "suites", multiple=True, callback=listed, metavar="SUITE,…", help="Only these suites.")
@click.option("--anyway", is_flag=True, help="Compare although something else differs than the model; it is said.")
@click.option("--html", is_flag=True, help="Write a page too: reports/compare/A--B.html, linked in the catalog.")
def compare(app: App, a: str, b: str, suites: tuple[str, ...], anyway: bool, html: bool) -> int:
    """Compare two models, or two runs, item by item: is B better than A, worse, or is no difference shown?

    A and B are specs, ids of runs, or digests of locks on record (the first six hex digits will do). Each suite that both
    have on record is paired by item: McNemar's exact test where items are right or wrong, a randomization test and a
    bootstrap interval for other scores, Holm's correction over the suites. Runs of another suite version, data, engine or
    hardware (through the server also: chat template, sampling) are not compared unless --anyway.

    Exit 0: better, or no difference shown. 1: B is worse in a suite. 2: incomparable.

    \b
    assay compare tiny-chat-q8 tiny-chat-q4
    assay compare tiny-chat-q8 tiny-chat-q4 --suite tiny-facts --json | jq '.tasks[].broken'
    assay compare tiny-chat-q8 tiny-chat-q4 --html
    assay compare sha256:51123e tiny-chat             what an upgrade of the lock changed
    assay compare 20260314T092653-1f0c44de 20260315T101112-77ab01c9
    """
    from pipeline.compare.model import Change
    from pipeline.compare.say import lines
    from pipeline.flow.comparing import compare_recorded

    session = app.session(offline=True)
    comparison = compare_recorded(session, a, b, suites=suites, anyway=anyway)
    if html:
        from pipeline.flow.site import write_comparison

        session.progress.note(str(write_comparison(session, comparison, a, b)))
    app.answer("compare", asdict(comparison), "\n".join(lines(comparison)))
    if comparison.verdict is Change.INCOMPARABLE:
        session.progress.note("incomparable: see the reasons; --anyway compares where items can be paired")
        return 2
    return int(comparison.verdict is Change.WORSE)
