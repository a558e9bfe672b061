"""Lists what a chat template is made of, for the child that renders: filters, tests, calls, attributes, statements,
operators, string escapes, and what text appears on which condition. Nothing is judged here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from jinja2 import Environment, nodes

STATEMENTS: dict[type[nodes.Node], str] = {
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "from",
    nodes.Extends: "extends",
    nodes.Block: "block",
    nodes.With: "with",
    nodes.ScopedEvalContextModifier: "autoescape",
}
OPERATORS: dict[type[nodes.Node], str] = {nodes.FloorDiv: "//", nodes.Pow: "**"}
BRANCHES = (nodes.If, nodes.CondExpr, nodes.Macro, nodes.And, nodes.Or)
FORGOTTEN = re.compile(r"\{%[-+]?\s*raw\b|\{%\+|\\[^ntrbfv\\'\"]")
MAX_USES = 2000


def scan(environment: Environment, source: str, tree: nodes.Template) -> list[dict[str, Any]]:
    """Return each thing once a line: ``kind``, ``name``, ``line``, ``guarded`` (not every rendering comes here), and
    ``detail`` (constant arguments, or the text of a branch).
    """
    parts = list(_walk(tree))
    stored = {node.name for node, _ in parts if isinstance(node, nodes.Name) and node.ctx != "load"}
    stored |= {node.name for node, _ in parts if isinstance(node, nodes.Macro)} | {"caller", "loop", "self"}
    found = dict[tuple[Any, ...], dict[str, Any]]()
    uses = chain.from_iterable(_uses(node, guarded) for node, guarded in parts)
    for kind, name, line, guarded, detail in chain(_lexed(environment, source), uses):
        if kind == "call" and name in stored:
            continue
        key = (kind, name, line, guarded, repr(detail))
        found.setdefault(key, {"kind": kind, "name": name, "line": line, "guarded": guarded, "detail": detail})
        if len(found) >= MAX_USES:
            break
    return list(found.values())


Use = tuple[str, str, int, bool, Any]


def _lexed(environment: Environment, source: str) -> Iterator[Use]:
    """Yield what the syntax tree has forgotten; most templates have nothing of it, which is soon seen."""
    if not FORGOTTEN.search(source):
        return
    for line, token, text in environment.lex(source):
        if token == "raw_begin":
            yield "statement", "raw", line, False, None
        elif token == "string":
            for escape in re.finditer(r"\\(.)", text, re.DOTALL):
                if escape[1] not in "ntrbfv\\'\"":
                    yield "escape", escape[0], line, False, None
        elif token == "block_begin" and text.endswith("+"):
            yield "statement", text, line, False, None


def _walk(tree: nodes.Node) -> Iterator[tuple[nodes.Node, bool]]:
    """Yield every node, and whether it is guarded."""
    stack = [(tree, False)]
    while stack:
        node, guarded = stack.pop()
        yield node, guarded
        if isinstance(node, nodes.If):
            stack.append((node.test, guarded))
            stack.extend((child, True) for child in (*node.body, *node.elif_, *node.else_))
            continue
        below = guarded or isinstance(node, BRANCHES)
        stack.extend((child, below) for child in _children(node))


def _children(node: nodes.Node) -> list[nodes.Node]:
    """Return what jinja2's ``iter_child_nodes`` yields, in a third of the time: templates have thousands of nodes."""
    found: list[nodes.Node] = []
    for name in node.fields:
        value = getattr(node, name, None)
        if isinstance(value, nodes.Node):
            found.append(value)
        elif isinstance(value, list):
            found.extend(item for item in value if isinstance(item, nodes.Node))
    return found


def _below(node: nodes.Node) -> Iterator[nodes.Node]:
    """Yield every node below one, as jinja2's ``find_all`` does: depth first, in order."""
    for child in _children(node):
        yield child
        yield from _below(child)


def _uses(node: nodes.Node, guarded: bool) -> Iterator[Use]:
    line = node.lineno
    for kinds, what in ((STATEMENTS, "statement"), (OPERATORS, "operator")):
        if type(node) in kinds:
            yield what, kinds[type(node)], line, guarded, None
    if isinstance(node, nodes.Filter):
        yield "filter", node.name, line, guarded, _arguments(node)
    elif isinstance(node, nodes.Test):
        yield "test", node.name, line, guarded, _arguments(node)
    elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name):
        yield "call", node.node.name, line, guarded, _arguments(node)
    elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
        yield "method", node.node.attr, line, guarded, _arguments(node)
    elif isinstance(node, nodes.For) and node.recursive:
        yield "statement", "for … recursive", line, guarded, None
    elif isinstance(node, nodes.If):
        yield from _condition(node, guarded)
    if isinstance(node, nodes.Getattr):
        yield "attribute", node.attr, line, guarded, None
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        yield "key", node.arg.value, line, guarded, None
    elif isinstance(node, nodes.Const) and isinstance(node.value, str) and "__" in node.value:
        yield "text", node.value[:200], line, guarded, None


def _arguments(node: nodes.Filter | nodes.Test | nodes.Call) -> dict[str, Any]:
    """Return the constants among the arguments: by position (null for others), and by name."""
    named = {item.key: _constant(item.value) for item in node.kwargs}
    return {"positional": [_constant(item) for item in node.args], "named": named}


def _constant(node: nodes.Node) -> Any:
    value = node.value if isinstance(node, nodes.Const) else None
    return value if isinstance(value, (str, int, bool)) else None


def _condition(node: nodes.If, guarded: bool) -> Iterator[Use]:
    """Yield a branch that depends on plain words in a message (markers are none), and the text that it writes."""
    parts = list(_below(node.test))
    keys = {id(item.arg) for item in parts if isinstance(item, nodes.Getitem)}
    compared = [item for item in parts if isinstance(item, nodes.Const) and id(item) not in keys]
    words = [text for text in _strings(compared) if re.fullmatch(r"[\w ,.'!?-]*[A-Za-z]{3}[\w ,.'!?-]*", text)]
    if not words:
        return
    read = {item.attr for item in parts if isinstance(item, nodes.Getattr)}
    read |= {str(_constant(item.arg)) for item in parts if isinstance(item, nodes.Getitem)}
    read |= {item.name for item in parts if isinstance(item, nodes.Name)}
    looks = any(isinstance(item, nodes.Operand) and item.op == "in" for item in parts) or any(
        isinstance(item, nodes.Call)
        and isinstance(item.node, nodes.Getattr)
        and item.node.attr in ("startswith", "endswith", "find")
        for item in parts
    )
    if looks and read & {"content", "text"}:
        yield "condition", words[0], node.lineno, guarded, " ".join(_strings(node.body))[:1000]


def _strings(parts: Iterable[nodes.Node]) -> list[str]:
    found = []
    for part in parts:
        for item in (part, *_below(part)):
            if isinstance(item, nodes.TemplateData) or (isinstance(item, nodes.Const) and isinstance(item.value, str)):
                found.append(item.data if isinstance(item, nodes.TemplateData) else item.value)
    return found
