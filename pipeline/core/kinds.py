"""Kinds: a rule, a source, an eval or a target is one module in its folder, found by looking, in a stable order."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType


@cache
def discover(package: str) -> dict[str, ModuleType]:
    """Import the modules of ``package`` whose names don't begin with ``_``; return them by name, sorted."""
    folder = importlib.import_module(package)
    names = sorted(info.name for info in pkgutil.iter_modules(folder.__path__) if not info.name.startswith("_"))
    return {name: importlib.import_module(f"{package}.{name}") for name in names}
