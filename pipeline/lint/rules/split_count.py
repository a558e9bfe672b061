from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import Subject

NUMBER, COUNT, TENSORS = "split.no", "split.count", "split.tensors.count"


class SplitCount(Rule):
    """A split set is not whole, or one of its files doesn't say what it is a part of.

    llama-server finds the other files of a set by `split.count` in the first and by their names
    (`name-00002-of-00003.gguf`), beside it. Without the count the file is taken for the whole model, and the start fails
    at the first tensor that lies in another file. A set is also incomplete when its files hold fewer tensors than the
    first one says.

    To mend it, split the model again with `llama-gguf-split`, or fetch the whole set again.
    """

    code = "A307"
    severity = Severity.ERROR

    def check(self, subject: Subject) -> Iterable[Finding]:
        metadata = subject.header.metadata
        number, count, tensors = (metadata.get(key) for key in (NUMBER, COUNT, TENSORS))
        fix = "split the model again with llama-gguf-split, or fetch the whole set again"
        if (number is not None or tensors is not None) and not count:
            evidence = ", ".join(f"{key} is {metadata.get(key)!r}" for key in (NUMBER, COUNT, TENSORS))
            yield self.finding(
                "the file is part of a split set, but doesn't say of how many files",
                where=COUNT,
                evidence=evidence,
                fix=fix,
            )
        elif isinstance(number, int) and isinstance(count, int) and number >= count:
            yield self.finding(
                f"the file says it is number {number}, counted from 0, of {count} files",
                where=NUMBER,
                evidence=f"{NUMBER} is {number}, {COUNT} is {count}",
                fix=fix,
            )
        elif subject.absent:
            yield self.finding(
                f"{len(subject.absent)} of the {count} files of the set are not here: llama-server refuses it",
                where=COUNT,
                evidence=f"not found beside it: {', '.join(subject.absent[:3])}" + (" …" * (len(subject.absent) > 3)),
                fix="put all files of the set into one folder, under the names that they were published with",
            )
        elif count == 1 + len(subject.more) and isinstance(tensors, int) and tensors != len(subject.tensors):
            yield self.finding(
                f"the file says {tensors} tensors, and {'it holds' if count == 1 else 'the set has'} {len(subject.tensors)}",
                where=TENSORS,
                evidence=f"{TENSORS} is {tensors}, {COUNT} is {count}",
                fix=fix,
            )


RULE = SplitCount()
