"""Mend what lint found, where that is safe: by what the spec overrides, or by a corrected template beside it."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from pipeline.core.errors import UsageError
from pipeline.core.files import atomic_write
from pipeline.flow.dating import headers_of, template_of
from pipeline.flow.session import Session
from pipeline.lint.engine import lint, rules, selected
from pipeline.lint.model import DATE, TEMPLATE, TODAY, Finding, Mend, Severity
from pipeline.lint.subject import Subject, subject_from
from pipeline.lock.clock import pinned
from pipeline.lock.model import Lockfile
from pipeline.spec import yaml
from pipeline.spec.edit import edited
from pipeline.spec.load import check, find_spec, shown
from pipeline.spec.model import Spec


@dataclass(frozen=True)
class Changed:
    """A file that was changed, or would be: its text before ("" for none) and after."""

    path: Path
    before: str
    after: str

    @property
    def diff(self) -> str:
        """The change as a unified diff."""
        name = shown(self.path)
        before, after = (text.splitlines(keepends=True) for text in (self.before, self.after))
        told = difflib.unified_diff(before, after, f"{name} (before)", name)
        return "".join(line if line.endswith("\n") else f"{line}\n\\ no newline at the end\n" for line in told)


@dataclass(frozen=True)
class Fixed:
    """What became of a spec: the findings that are mended, those that are left, and the files that changed."""

    name: str
    mended: tuple[Finding, ...]
    left: tuple[Finding, ...]
    files: tuple[Changed, ...]
    written: bool
    accepted: bool


@dataclass(frozen=True)
class _State:
    """A spec on its way: its text, the template that it names now (None: the model's own), and what that comes to."""

    text: str
    template: str | None
    subject: Subject
    findings: tuple[Finding, ...]


def fix(
    session: Session,
    name: str,
    *,
    codes: Iterable[str] = (),
    write: bool = True,
    force: bool = False,
    today: date | None = None,
) -> Fixed:
    """Mend the findings of a locked model that carry a mend: those of ``codes``, else all but infos. Each mend must take
    its finding away and bring no other, or it is left. With ``force`` a template file that is there already is replaced.

    Raises UsageError where a file can't be edited or would be overwritten, and as ``Session.current`` does.
    """
    lock, path = session.current(name), find_spec(session.project, name)
    wanted = selected(rules(), codes, ()) if codes else None
    day = (today or datetime.now(UTC).date()).isoformat()
    text = path.read_bytes().decode()
    own = template_of(session, lock) if lock.template else None
    start = state = _state(lock, text, None, _subject(session, lock, own))
    mended, tried = list[Finding](), set[tuple[str, str, str]]()
    while found := next((one for one in state.findings if _is_due(one, wanted) and _key(one) not in tried), None):
        tried.add(_key(found))
        after = _applied(lock, path, state, found, day)
        if after is not None and _is_better(state.findings, after.findings, found):
            state = after
            mended.append(found)
    files = tuple(_files(path, start, state, force))
    if write:
        if files and path.read_bytes().decode(errors="replace") != text:
            said = f"{shown(path)} was changed while its fix was worked out; nothing is written"
            raise UsageError(said, hint=f"run assay lock {lock.name}, then assay fix again")
        for file in files:
            mode = file.path.stat().st_mode & 0o777 if file.path.is_file() else 0o644
            atomic_write(file.path, file.after.encode(), mode)
    limit = -1 if lock.spec.gates.lint == "none" else Severity(lock.spec.gates.lint).rank
    accepted = all(finding.severity.rank <= limit for finding in state.findings)
    return Fixed(lock.name, tuple(mended), state.findings, files, write and bool(files), accepted)


def _subject(session: Session, lock: Lockfile, template: str | None) -> Subject:
    """Return what lint judges of a locked model; its weights need not be here."""
    return subject_from(*headers_of(session, lock), spec=lock.spec, license_id=lock.license.id, template=template)


def _state(lock: Lockfile, text: str, template: str | None, subject: Subject) -> _State:
    return _State(text, template, subject, lint(subject))


def _is_due(finding: Finding, wanted: frozenset[str] | None) -> bool:
    if finding.mend is None:
        return False
    return finding.code in wanted if wanted is not None else finding.severity is not Severity.INFO


def _key(finding: Finding) -> tuple[str, str, str]:
    return finding.code, finding.where, finding.message


def _applied(lock: Lockfile, path: Path, state: _State, finding: Finding, day: str) -> _State | None:
    """Return what a spec comes to with a mend."""
    mend, subject = finding.mend, state.subject
    assert mend is not None
    if mend.path == TEMPLATE:
        text = edited(state.text, TEMPLATE, _template_path(path).name)
        changed = replace(subject, template=mend.value)
        return _state(lock, text, mend.value, _of_spec(changed, _checked(text, path)))
    text = edited(state.text, mend.path, day if mend.value == TODAY else mend.value)
    if mend.path == DATE:
        subject = replace(subject, template=pinned(subject.template or "", day))
    return _state(lock, text, state.template, _of_spec(subject, _checked(text, path)))


def _of_spec(subject: Subject, spec: Spec) -> Subject:
    """Return a subject under another spec."""
    made = subject_from(
        subject.header, *subject.more, spec=spec, license_id=subject.license_id, template=subject.template
    )
    return replace(made, absent=subject.absent)


def _checked(text: str, path: Path) -> Spec:
    return check(yaml.parse(text, shown(path)), Spec)


def _is_better(before: Iterable[Finding], after: Iterable[Finding], mended: Finding) -> bool:
    """Whether a finding is gone, and no rule finds more than it did; infos may come."""
    old, new = (Counter(one.code for one in found if one.severity is not Severity.INFO) for found in (before, after))
    return _key(mended) not in map(_key, after) and not new - old


def _template_path(spec: Path) -> Path:
    """Return where a corrected template goes: beside the spec, never where the user's own may be."""
    return spec.with_name(f"{spec.stem}.fixed.jinja")


def _files(path: Path, start: _State, state: _State, force: bool) -> Iterable[Changed]:
    if state.template is not None:
        target = _template_path(path)
        there = target.read_bytes().decode() if target.is_file() else None
        if there not in (None, state.template, start.subject.template) and not force:
            said = f"{shown(target)} exists and is another template"
            raise UsageError(said, hint="move it away, or say --force to replace it")
        yield Changed(target, start.subject.template or "", state.template)
    if state.text != start.text:
        yield Changed(path, start.text, state.text)


def told(mend: Mend) -> str:
    """Say for people what a mend does."""
    place = ".".join(mend.path)
    if mend.path == TEMPLATE:
        return f"{place}: a corrected template"
    if isinstance(mend.value, dict):
        return "; ".join(f"{place}: {key}: {value}" for key, value in mend.value.items())
    return f"{place}: {mend.value}"
