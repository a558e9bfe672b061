"""Kinds from other packages, by entry points: what is installed beside Assay can add an assertion or a kind of eval.

An outcome then depends on that package, so locks pin it by name and version; see ``spec.suite.plugins_of``. A package is
imported when something names its kind, and not before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, distributions
from typing import Any

from pipeline.core.errors import AssayError, UsageError

ASSERTIONS = "assay.assertions"
EVAL_KINDS = "assay.eval_kinds"


@dataclass(frozen=True)
class Plugin:
    """One entry point, and the package that brought it."""

    name: str
    package: str
    version: str
    entry: EntryPoint

    def __str__(self) -> str:
        return f"{self.package} {self.version}"

    def load(self, members: Sequence[str]) -> Any:
        """Import it. Raises UsageError, with the package's name, when that fails or it lacks one of ``members``."""
        try:
            found = self.entry.load()
        except AssayError:
            raise
        except Exception as error:
            said = f"{self}: {self.entry.value} can't be imported: {type(error).__name__}: {error}"
            raise UsageError(said, hint=f"install a {self.package} that fits this Assay, or remove it") from None
        missing = [member for member in members if not hasattr(found, member)]
        if missing:
            said = f"{self}: {self.entry.value} has no {', '.join(missing)}"
            raise UsageError(said, hint=f"{self.entry.group} want {', '.join(members)}; see CONTRIBUTING.md")
        return found


@cache
def plugins(group: str) -> dict[str, Plugin]:
    """Return what installed packages offer in a group, by name; nothing of theirs is imported. Raises UsageError when two
    offer the same."""
    found: dict[str, Plugin] = {}
    for plugin in sorted(_installed(), key=str):
        if plugin.entry.group != group:
            continue
        if other := found.get(plugin.name):
            said = f"two packages offer {plugin.name!r} in {group}: {other} and {plugin}"
            raise UsageError(said, hint="remove one of them")
        found[plugin.name] = plugin
    return found


@cache
def _installed() -> tuple[Plugin, ...]:
    """Look through every installed package, once a process; the first of a name on the path counts."""
    found: dict[str, list[Plugin]] = {}
    for package in distributions():
        if "[assay." not in (package.read_text("entry_points.txt") or ""):
            continue  # its metadata is not even read, which would take most of the time
        name = package.name or "a package without a name"
        if name not in found:
            found[name] = [Plugin(one.name, name, package.version, one) for one in package.entry_points]
    return tuple(plugin for some in found.values() for plugin in some if plugin.entry.group in (ASSERTIONS, EVAL_KINDS))


class Kinds(Mapping[str, Any]):
    """Kinds of a folder together with those of other packages, which are imported when they are taken."""

    def __init__(self, own: Mapping[str, Any], group: str, members: Sequence[str]) -> None:
        """``members`` is what a plugin must have. Raises UsageError when a plugin takes the name of a kind of ours."""
        self._own, self._members = own, tuple(members)
        self._plugins = plugins(group)
        for name in sorted(own.keys() & self._plugins.keys()):
            said = f"{self._plugins[name]} offers {name!r} in {group}, which Assay has itself"
            raise UsageError(said, hint="remove that package, or ask its authors for another name")

    def __getitem__(self, name: str) -> Any:
        return self._own[name] if name in self._own else self._plugins[name].load(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._plugins

    def __iter__(self) -> Iterator[str]:
        return iter(sorted((*self._own, *self._plugins)))

    def __len__(self) -> int:
        return len(self._own) + len(self._plugins)
