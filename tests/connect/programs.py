"""Configurations that are programs, read and not run: the libraries that they use are not among those of the tests."""

from __future__ import annotations

import ast
from typing import Any


def calls(text: str, name: str) -> dict[str, Any]:
    """Return the keyword arguments of the one call of ``name`` in a program; of those that are no literals the source."""
    tree = ast.parse(text)
    (call,) = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == name]
    return {str(word.arg): _value(word.value) for word in call.keywords}


def _value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)
