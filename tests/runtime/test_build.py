from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path

import pytest

from pipeline.core.errors import EngineError
from pipeline.lock.compile import pinned_engine
from pipeline.runtime import build
from pipeline.runtime.build import EngineBuild, find_engine, require_pinned


@pytest.fixture
def copied(engine_build: EngineBuild, tmp_path: Path) -> Path:
    """The engine, copied to another place: its server."""
    source = engine_build.server.parent.parent
    (tmp_path / "engine" / "bin").mkdir(parents=True)
    shutil.copy2(engine_build.server, tmp_path / "engine" / "bin")
    shutil.copytree(source / "lib", tmp_path / "engine" / "lib", ignore=shutil.ignore_patterns("python*", "cmake"))
    return tmp_path / "engine" / "bin" / "llama-server"


def script(path: Path, says: str) -> Path:
    """A program that is called like the server and says something else."""
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\n")
    path.chmod(0o755)
    return path


def without_bindings(monkeypatch: pytest.MonkeyPatch, *, instead: Path | None = None) -> None:
    monkeypatch.delenv("ASSAY_ENGINE", raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delitem(sys.modules, "llama_cpp", raising=False)
    monkeypatch.setattr(sys, "path", [str(instead)] if instead else [])
    importlib.invalidate_caches()


def test_the_identity_is_that_of_the_pinned_build_and_stable(engine_build: EngineBuild) -> None:
    again = find_engine()
    assert again.identity == engine_build.identity
    assert again.identity.digest == engine_build.identity.digest
    assert "cpu" in engine_build.identity.backends
    files = engine_build.identity.files
    assert {"llama-server", "llama_cpp/libllama.so"} <= set(files) or sys.platform == "darwin"
    assert any(name.startswith("libllama") for name in files)
    require_pinned(engine_build, pinned_engine())


def test_the_place_is_not_part_of_the_identity(engine_build: EngineBuild, copied: Path) -> None:
    assert find_engine(copied).identity.digest == engine_build.identity.digest


@pytest.mark.skipif(sys.platform != "linux", reason="the names of libraries are Linux's")
@pytest.mark.parametrize("path", ["bin/llama-server", "lib/libllama.so.0", "lib/libggml-cpu.so"])
def test_one_more_byte_in_the_server_or_a_library_is_another_engine(
    engine_build: EngineBuild, copied: Path, path: str
) -> None:
    target = copied.parent.parent / path
    with target.open("ab") as file:
        file.write(b"\0")
    changed = find_engine(copied).identity
    assert changed.digest != engine_build.identity.digest
    assert {name for name in changed.files if changed.files[name] != engine_build.identity.files[name]} == {target.name}


def test_an_engine_named_by_the_user_counts_and_the_argument_most(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_ENGINE", str(copied.parent))
    assert find_engine().server == copied
    other = script(tmp_path / "llama-server", "version: 12 (build 3, commit abcdef0)")
    found = find_engine(other)
    assert (found.server, found.identity.commit, found.identity.version) == (other, "abcdef0", "12")
    assert found.identity.origin == "named by the user"


def test_another_commit_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    found = find_engine(script(tmp_path / "llama-server", "version: 6123 (abcdef0)"))
    with pytest.raises(EngineError, match=r"is llama\.cpp abcdef0, the lock pins 0c1e570") as error:
        require_pinned(found, pinned_engine())
    assert "--engine" in error.value.hint
    with pytest.raises(EngineError, match="llama-bench is missing beside"):
        found.tool("llama-bench")


def test_a_missing_engine_says_what_to_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match=r"no llama-server at .*/none") as error:
        find_engine(tmp_path / "none")
    assert "ASSAY_ENGINE" in error.value.hint
    monkeypatch.setenv("ASSAY_ENGINE", str(tmp_path))
    with pytest.raises(EngineError, match="no llama-server at"):
        find_engine()


@pytest.mark.parametrize(
    ("says", "mode", "wanted"),
    [("hello", 0o755, "does not say which llama.cpp it is: 'hello'"), ("version: 1 (abcdef0)", 0o644, "does not run")],
)
def test_what_is_no_engine_is_refused(tmp_path: Path, says: str, mode: int, wanted: str) -> None:
    fake = script(tmp_path / "llama-server", says)
    fake.chmod(mode)
    with pytest.raises(EngineError, match=wanted) as error:
        find_engine(fake)
    assert error.value.hint


def test_without_llama_cpp_one_error_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    without_bindings(monkeypatch)
    with pytest.raises(EngineError, match=r"llama\.cpp is not installed") as error:
        find_engine()
    assert "bootstrap.py" in error.value.hint and "compiler" in error.value.hint


def test_bindings_without_tools_say_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "llama_cpp").mkdir()
    (tmp_path / "llama_cpp" / "__init__.py").touch()
    without_bindings(monkeypatch, instead=tmp_path)
    with pytest.raises(EngineError, match="was built without llama-server") as error:
        find_engine()
    assert "bootstrap.py" in error.value.hint


def test_a_server_on_the_path_is_the_last_resort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_bindings(monkeypatch)
    found = script(tmp_path / "llama-server", "version: 1 (abcdef0)")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert (find_engine().server, find_engine().identity.origin) == (found, "on PATH")


def test_a_configuration_that_would_change_a_pinned_server_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stray = tmp_path / "config.ini"
    monkeypatch.setattr(build, "STRAY_CONFIG", stray)
    find_engine()
    stray.touch()
    with pytest.raises(EngineError, match="would change a pinned server silently"):
        find_engine()


def test_the_environment_is_made_from_nothing(engine_build: EngineBuild, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LLAMA_ARG_CTX_SIZE", "LLAMA_API_KEY", "HTTPS_PROXY", "LD_PRELOAD_64"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    found = engine_build.environment
    library = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
    assert set(found) == {"PATH", "HOME", "XDG_CONFIG_HOME", "LC_ALL", library, "CUDA_VISIBLE_DEVICES"}
    assert found["HOME"] == found["XDG_CONFIG_HOME"] == "/nonexistent"
    assert not Path("/nonexistent").exists()


def test_which_gpus_the_engine_sees_is_part_of_its_identity(
    engine_build: EngineBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    hidden = find_engine()
    assert hidden.environment["CUDA_VISIBLE_DEVICES"] == ""
    assert hidden.identity.content()["devices"] == {"CUDA_VISIBLE_DEVICES": ""}
    assert hidden.identity.digest != engine_build.identity.digest
