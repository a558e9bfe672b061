"""What rules judge: a file's header, the spec that runs it, and its chat template rendered on the probes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.gguf.corrected import corrected
from pipeline.gguf.facts import TEMPLATE_KEY, Facts, facts_of
from pipeline.gguf.header import Header, Tensor, read_header
from pipeline.gguf.tokens import Vocabulary
from pipeline.lint.probes import PROBES, WITH_TOOLS
from pipeline.lint.render import Job, Rendering, render_all
from pipeline.spec.sources._splits import split_set

if TYPE_CHECKING:
    from pipeline.lint.evidence.hollow import Served
    from pipeline.lint.evidence.scenes import Played
    from pipeline.lint.evidence.vocabulary import Spoken
    from pipeline.lock.model import Lockfile
    from pipeline.runtime.build import EngineBuild
    from pipeline.spec.model import Spec

MOST_PARTS = 1000


@dataclass(frozen=True)
class Subject:
    """A model under lint. ``template`` is the one that will be used (the spec's, else the file's); ``license_id`` what
    it is licensed under as far as known; without a ``spec`` nothing is known of what the model is for. ``engine`` is the
    llama.cpp to ask beyond the header, None where none is to be asked. ``more`` are the headers of a split set's further
    files, in order; ``absent`` the names of those that should be there and are not. ``lock`` is what pins the model, where
    one does.
    """

    header: Header
    facts: Facts
    spec: Spec | None
    license_id: str | None
    template: str | None
    engine: EngineBuild | None = None
    more: tuple[Header, ...] = ()
    absent: tuple[str, ...] = ()
    lock: Lockfile | None = None

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors of all files."""
        return tuple(tensor for part in (self.header, *self.more) for tensor in part.tensors)

    @property
    def profile(self) -> str:
        """That of the spec; a model without a spec is taken for a chat model if it has a template."""
        if self.spec is not None:
            return self.spec.profile
        return "chat" if self.template else "completion"

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self.header)

    @cached_property
    def renderings(self) -> Mapping[str, Rendering]:
        """Every probe's prompt, by the probe's name; all are made in one child process when the first is asked for."""
        if not self.template:
            return {}
        special = {"bos_token": self.facts.bos_token or "", "eos_token": self.facts.eos_token or ""}
        fixed = {**special, "enable_thinking": True, "date_string": "15 Jan 2026", "datetime": "Jan 15 2026"}
        templates = {"chat": self.template, "tools": self._tool_template or self.template}
        jobs = [
            Job("tools" if name in WITH_TOOLS else "chat", {**fixed, **context}) for name, context in PROBES.items()
        ]
        return dict(zip(PROBES, render_all(templates, jobs), strict=True))

    @cached_property
    def spoken(self) -> Spoken:
        """What the engine makes of the vocabulary; asked when it is first wanted."""
        from pipeline.lint.evidence.vocabulary import speak

        return speak(self)

    @cached_property
    def served(self) -> Served:
        """What llama-server makes of the template and the vocabulary; asked when it is first wanted."""
        from pipeline.lint.evidence.hollow import serve

        return serve(self)

    @cached_property
    def played(self) -> Played:
        """What llama-server makes of what the template's model would write; asked when it is first wanted."""
        from pipeline.lint.evidence.playback import play

        return play(self)

    @property
    def _tool_template(self) -> str | None:
        """The file's own template for conversations with tools, which the engine prefers; the spec's template replaces
        both.
        """
        named = self.header.metadata.get(f"{TEMPLATE_KEY}.tool_use")
        return named if isinstance(named, str) and self.template == self.facts.chat_template else None


def subject_of(
    weights: Path,
    *,
    spec: Spec | None = None,
    license_id: str | None = None,
    template: str | None = None,
    engine: EngineBuild | None = None,
) -> Subject:
    """Read a file's header, or those of a split set by its first file, and put a subject together. ``template`` replaces
    the file's own. Raises GgufError, UsageError.
    """
    header = read_header(weights)
    others = [weights.with_name(name) for name in _others(weights.name, header)]
    absent = tuple(path.name for path in others if not path.is_file())
    more = () if absent else tuple(map(read_header, others))
    subject = subject_from(header, *more, spec=spec, license_id=license_id, template=template, engine=engine)
    return replace(subject, absent=absent)


def _others(name: str, header: Header) -> tuple[str, ...]:
    """Return the names by which llama.cpp looks for the further files of a split set; none for a file that is no part of
    one, or not the first. Raises UsageError for a name that says it is not the first.
    """
    count, number = header.metadata.get("split.count"), header.metadata.get("split.no")
    if not isinstance(count, int) or not 1 < count <= MOST_PARTS or number:
        return ()
    named = split_set(name)
    if len(named) != count:
        stem = name.removesuffix(".gguf")
        named = tuple(f"{stem}-{part:05d}-of-{count:05d}.gguf" for part in range(1, count + 1))
    return named[1:]


def subject_from(
    header: Header,
    *more: Header,
    spec: Spec | None = None,
    license_id: str | None = None,
    template: str | None = None,
    engine: EngineBuild | None = None,
) -> Subject:
    """Put a subject together from a header, wherever it was read; ``more`` are those of a split set's further files.
    What the spec overrides is judged as the engine gets it. Raises GgufError.
    """
    header = corrected(header, spec.engine.overrides if spec else {})
    facts = facts_of(header, *more)
    declared = license_id or (spec.license.id if spec else None) or facts.license
    used = template if template is not None else facts.chat_template
    return Subject(header, facts, spec, declared, used if used and used.strip() else None, engine, more)
