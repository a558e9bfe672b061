from __future__ import annotations

import ast
import sys

from pipeline.airgap.script import script


def test_it_is_one_file_for_python_3_8_and_its_standard_library() -> None:
    source = script().decode()
    tree = ast.parse(source, feature_version=(3, 8))
    imported = {
        alias.name.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    } | {(node.module or "").partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= set(sys.stdlib_module_names)
    assert "pipeline" not in imported
    # Younger than Python 3.8: methods and functions, which the grammar doesn't tell.
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not attributes & {"removeprefix", "removesuffix", "is_relative_to", "with_stem", "file_digest", "readlink"}
    assert "strict" not in {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}


def test_it_says_how_it_is_used() -> None:
    tree = ast.parse(script())
    assert "python3 verify.py [FILE.tar | FILE.tar.001 | FOLDER]" in (ast.get_docstring(tree) or "")
