"""Kinds from other packages, by entry points: what is installed beside Assay can add an assertion or a kind of eval.

An outcome then depends on that package, so locks pin it by name, version and code; see ``spec.suite.plugins_of``. A
package is imported when something names its kind, and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from importlib.metadata import EntryPoint, distributions
from importlib.util import find_spec
from inspect import isroutine
from pathlib import Path
from typing import Any

from pipeline.core.canonical import digest_of
from pipeline.core.digest import Digest
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
        return _Guarded(self, found)

    @property
    def pinned(self) -> str:
        """The package as locks name it: its version, and the digest of its code, which changes without one where a
        package is installed for development."""
        top = self.entry.module.partition(".")[0]
        spec = find_spec(top)
        if spec is not None and spec.origin is None:  # many packages may share that name
            spec = find_spec(self.entry.module)
        if spec is None or spec.origin is None or not Path(spec.origin).is_file():
            return str(self)
        folders = map(Path, spec.submodule_search_locations or ())
        files = sorted({Path(spec.origin), *(path for folder in folders for path in folder.rglob("*.py"))})
        root = Path(spec.origin).parent
        code = digest_of([[path.relative_to(root).as_posix(), str(Digest.of_file(path))] for path in files])
        return f"{self}, code {code.short}"


class _Guarded:
    """A module of another package: an error that it did not mean for users names that package."""

    def __init__(self, plugin: Plugin, module: Any) -> None:
        self._plugin, self._module, self.__doc__ = plugin, module, module.__doc__

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        return self._told(value, name) if isroutine(value) else value

    def _told(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except AssayError:
                raise
            except Exception as error:
                at = error.__traceback__
                while at and at.tb_next:
                    at = at.tb_next
                line = f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}" if at else self._plugin.entry.value
                what = f"{name} of {self._plugin.entry.value} failed"
                said = f"{self._plugin}: {what}: {type(error).__name__}: {error} ({line})"
                raise UsageError(
                    said, hint=f"tell the authors of {self._plugin.package}, or use another version"
                ) from error

        return call


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
