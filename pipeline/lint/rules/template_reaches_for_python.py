from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._template import ScanRule, Use, place, sources, uses
from pipeline.lint.subject import Subject

DUNDER = re.compile(r"__[a-z]+(?:_[a-z]+)*__")
INNER = frozenset(
    "mro subclasses func_globals func_code func_closure gi_frame gi_code cr_frame cr_code ag_frame f_globals f_builtins "
    "f_locals f_back tb_frame _module os_system popen".split()
)
DUNDERS = frozenset(
    f"__{name}__"
    for name in "base bases builtins call class code dict doc file func getattribute getitem globals import init "
    "init_subclass loader mro name new qualname reduce reduce_ex self spec subclasses subclasshook wrapped".split()
)
NAMES = frozenset(
    "eval exec compile open getattr setattr globals locals vars import_module cycler lipsum joiner".split()
)


class TemplateReachesForPython(ScanRule):
    """The chat template reaches for the insides of Python, as attacks on template engines do.

    Attributes such as `__class__`, `mro` or `__globals__` have no place in a chat template: they lead from a string to
    running commands on any engine without a sandbox (server-side template injection). llama-server's engine knows none
    of them and fails; other engines have run such files. Treat the file as hostile.

    To mend it, don't use this file. Take the publisher's own, and tell those who host this one.
    """

    code = "A502"
    severity = Severity.ERROR

    def check(self, subject: Subject) -> Iterable[Finding]:
        for source in sources(subject):
            found = next(((use, _reached(use)) for use in uses(subject, source) if _reached(use)), None)
            if found:
                use, what = found
                yield self.finding(
                    f"the chat template reaches for {what} of Python",
                    where=place(source, use.line, (what,)),
                    evidence=f"{use.kind} {use.name!r} in line {use.line}",
                    fix="do not use this file; take the publisher's own",
                )


def _reached(use: Use) -> str:
    if use.kind in ("attribute", "key"):
        dunder = DUNDER.fullmatch(use.name) if use.kind == "attribute" else use.name in DUNDERS
        return use.name if dunder or use.name in INNER else ""
    if use.kind == "call":
        return use.name if use.name in NAMES else ""
    if use.kind == "filter" and use.name == "attr":
        names = use.detail["positional"]
        if not names or not isinstance(names[0], str):
            return "attributes by a name that is made up on the way"
        return str(names[0]) if DUNDER.fullmatch(names[0]) or names[0] in INNER else ""
    return use.name if use.kind == "text" and use.name in DUNDERS else ""


RULE = TemplateReachesForPython()
