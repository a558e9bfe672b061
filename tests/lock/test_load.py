# ruff: noqa: E501 (a fault a line)
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.canonical import pretty
from pipeline.core.errors import LockOutOfDate
from pipeline.core.project import Project
from pipeline.flow.locking import make_lock
from pipeline.flow.prepare import check, fetch_all, verify_all
from pipeline.flow.session import Session
from pipeline.lock.diff import diff
from pipeline.lock.load import NewerLock, check_lock, lock_path, read_lock, require_current, write_lock
from pipeline.lock.model import Lockfile
from pipeline.spec.load import find_spec, read_spec
from tests.projects import assay, edit

ROOT = Path(__file__).parents[2]
OLD = ROOT / "tests" / "old_lockfiles"


def tamper(project: Project, *path: str | int, to: Any) -> None:
    """Change one value of the lock by hand."""
    file = lock_path(project, "small")
    content = here = json.loads(file.read_text())
    for part in path[:-1]:
        here = here[part]
    here[path[-1]] = to
    file.write_text(pretty(content))


def changes(project: Project) -> list[str]:
    spec = read_spec(find_spec(project, "small"))
    return [str(change) for change in check_lock(project, spec, read_lock(project, "small"))]


def test_a_lock_is_the_same_bytes_again_from_elsewhere_and_at_another_place(project: Project, tmp_path: Path) -> None:
    wanted = lock_path(project, "small").read_bytes()
    copy = Project(shutil.copytree(project.root, tmp_path / "a b" / "other place"))
    for root, folder in [(project, project.suites / "few"), (copy, tmp_path)]:
        lock_path(root, "small").unlink()
        command = [sys.executable, "-m", "pipeline.cli.main", "lock", "small", "--project", str(root.root)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert lock_path(root, "small").read_bytes() == wanted


def test_a_lock_names_no_place_of_this_machine(project: Project) -> None:
    text = lock_path(project, "small").read_text()
    for place in (project.root, Path.home(), ROOT, Path(sys.prefix)):
        assert str(place) not in text
    assert '"/' not in text and os.uname().nodename not in text


def test_writing_the_same_changes_nothing_and_repairs_line_ends(project: Project) -> None:
    path, lock = lock_path(project, "small"), read_lock(project, "small")
    before = path.stat()
    assert not write_lock(project, lock)
    assert path.stat().st_ino == before.st_ino
    content = path.read_bytes()
    path.write_bytes(content.replace(b"\n", b"\r\n"))
    assert write_lock(project, lock) and path.read_bytes() == content
    path.write_bytes(b"\xff")
    assert write_lock(project, lock) and path.read_bytes() == content


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("slots: 2", "slots: 3", ["spec.engine.slots: 2 -> 3"]),
        ("context: 1024, ", "", ["spec.engine.context: 1024 -> 4096"]),
        (
            "max_tokens: 16}",
            "max_tokens: 17, temperature: 0.5}",
            ["spec.sampling.max_tokens: 16 -> 17", "spec.sampling.temperature: 0.0 -> 0.5"],
        ),
        ("checks: [greeting]", "checks: []", ["spec.checks: - greeting"]),
        ("few.acc: {min: 0}", "few.acc: {min: 0.5}", ["spec.gates.metrics.few.acc.min: 0.0 -> 0.5"]),
        ("license: {allow: [apache-2.0]}", "license: {allow: [mit]}", ["spec.license.allow[0]: apache-2.0 -> mit"]),
        (
            "source: file:../models/small.gguf",
            "source: file:../models/./small.gguf",
            ["spec.source: file:../models/small.gguf -> file:../models/./small.gguf"],
        ),
        ("name: small", "# a comment\nprofile: chat\nname: small", []),
        ("streams: [1]", "streams: [ 1 ]", []),
    ],
)
def test_check_tells_each_field_that_moved(project: Project, old: str, new: str, told: list[str]) -> None:
    edit(project.specs / "small.yaml", old, new)
    assert changes(project) == told
    if told:
        with pytest.raises(LockOutOfDate, match="the lock of small is out of date") as caught:
            require_current(project, read_spec(find_spec(project, "small")))
        assert all(f"  {line}" in caught.value.message for line in told) and caught.value.hint == "run assay lock small"


def test_check_sees_a_suite_a_template_and_the_pinned_engine_move(project: Project) -> None:
    with (project.suites / "few" / "items.jsonl").open("a") as file:
        file.write("\n")
    (told,) = changes(project)
    assert told.startswith("suites.few.digest: sha256:")
    shutil.rmtree(project.suites / "few")
    assert changes(project)[0].endswith("-> nothing")

    tamper(project, "engine", "llama_cpp_commit", to="abcdef0")
    assert changes(project)[0].startswith("engine.llama_cpp_commit: abcdef0 -> ")


def test_check_sees_the_template_move_but_not_that_it_is_elsewhere(project: Project) -> None:
    template = project.root / "models" / "t.jinja"
    template.write_text("{{ messages }}")
    with (project.specs / "small.yaml").open("a") as file:
        file.write("chat: {template: ../models/t.jinja}\n")
    make_lock(Session(project), "small")
    assert changes(project) == []
    template.write_text("{{ messages }}!")
    (told,) = changes(project)
    assert told.startswith("files.chat_template.sha256: sha256:")
    template.unlink()
    assert changes(project) == []


def test_new_weights_at_the_source_do_not_stale_a_lock(project: Project) -> None:
    (project.root / "models" / "small.gguf").unlink()
    assert changes(project) == []


NO_NETWORK = """
import sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        raise SystemExit(f"{event}: {arguments}")
sys.addaudithook(watch)
from pipeline.cli.main import run
sys.exit(run(sys.argv[1:]))
"""


def watched(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", NO_NETWORK, *arguments]
    return subprocess.run(command, cwd=project.root, env=environment, capture_output=True, text=True)


def test_check_needs_no_network_and_exits_3(project: Project) -> None:
    edit(
        project.specs / "small.yaml", "source: file:../models/small.gguf", "source: https://example.invalid/small.gguf"
    )
    edit(project.specs / "small.yaml", "slots: 2", "slots: 3")
    done = watched(project, "lock", "--check")
    assert done.returncode == 3, done.stderr
    assert "small: out of date" in done.stdout and "  spec.engine.slots: 2 -> 3" in done.stdout
    assert "  spec.source: file:../models/small.gguf -> https://example.invalid/small.gguf" in done.stdout
    done = watched(project, "lock", "--dry-run")  # and the watch does see: this one has to ask the origin
    assert "socket.getaddrinfo" in done.stderr


def test_lock_fetch_and_verify_need_no_engine(project: Project, tmp_path: Path) -> None:
    (tmp_path / "none" / "llama_cpp").mkdir(parents=True)
    (tmp_path / "none" / "llama_cpp" / "__init__.py").write_text("raise ImportError('no engine here')\n")
    without = {"PYTHONPATH": f"{tmp_path / 'none'}:{ROOT}", "PATH": "/nonexistent"}
    for command in (["lock"], ["fetch"], ["verify", "--deep"]):
        code, _, err = assay(*command, project=project, **without)
        assert code == 0, err
    assert assay("check", project=project, **without)[0] == 6  # it really is without


def test_an_old_lock_is_read_for_ever() -> None:
    """A released lock version is never changed: every lock in this folder must be read as it was, digest and all."""
    (folder,) = OLD.iterdir()
    wanted = json.loads((folder / "digests.json").read_text())
    names = {path.name.removesuffix(".lock.json") for path in folder.glob("*.lock.json")}
    assert folder.name == "v1" and set(wanted) == names
    project = Project(folder)
    for name in names:
        path = folder / f"{name}.lock.json"
        lock = Lockfile.model_validate(json.loads(path.read_text()))
        assert str(lock.digest) == wanted[name]
        assert pretty(lock.content()).encode() == path.read_bytes()
        assert diff(lock.spec.content(), {**lock.spec.content(), "name": name}) == []
        assert project.lockfiles.name == "lockfiles"


@pytest.mark.parametrize("name", ["small", "fewer-keys", "hub"])
def test_an_old_lock_still_fits_its_spec(tmp_path: Path, name: str) -> None:
    """Also one that was made when specs had fewer keys: what they mean by default has not changed."""
    (tmp_path / "specs").mkdir()
    project = Project(tmp_path)
    project.lockfiles.mkdir()
    shutil.copy(OLD / "v1" / f"{name}.lock.json", project.lockfiles)
    lock = read_lock(project, name)
    (project.specs / f"{name}.yaml").write_text(json.dumps(lock.content()["spec"]))
    told = check_lock(project, read_spec(project.specs / f"{name}.yaml"), lock)
    assert [change.path for change in told if not change.path.startswith(("suites.", "engine."))] == []


def test_a_newer_lock_is_refused_and_left_alone(project: Project) -> None:
    tamper(project, "lock_version", to=2)
    path = lock_path(project, "small")
    content = path.read_bytes()
    for attempt in (lambda: read_lock(project, "small"), lambda: make_lock(Session(project), "small")):
        with pytest.raises(NewerLock, match="has lock version 2; this Assay reads 1") as caught:
            attempt()
        assert "upgrade Assay" in caught.value.hint
    assert assay("lock", "small", project=project)[0] == 3
    assert path.read_bytes() == content


def test_no_lock_is_told(project: Project) -> None:
    lock_path(project, "small").unlink()
    with pytest.raises(LockOutOfDate, match=r"no lock for small: .* does not exist") as caught:
        read_lock(project, "small")
    assert caught.value.hint == "run assay lock small"
    code, out, _ = assay("lock", "--dry-run", project=project)
    assert (code, "small: would be written" in out, lock_path(project, "small").exists()) == (0, True, False)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"5", b"\xff\xfe", b"<<<<<<< HEAD\n{}\n=======\n", b'{"lock_version": 1}', b'{"lock_version": "1"}', b'{"lock_version": true}', b'{"lock_version": 0}', b'{"a": 1, "a": 2}', b"[" * 200_000, b'{"gguf": NaN}'],
)  # fmt: skip
def test_a_damaged_lock_is_told_and_replaced_by_locking_again(project: Project, content: bytes) -> None:
    path = lock_path(project, "small")
    sound = path.read_bytes()
    path.write_bytes(content)
    with pytest.raises(LockOutOfDate, match=r"is not a lockfile|is damaged") as caught:
        read_lock(project, "small")
    assert caught.value.hint == "restore it, or run assay lock small" and len(caught.value.message) < 1000
    made = make_lock(Session(project), "small")
    assert made.written and made.fresh and path.read_bytes() == sound


@pytest.mark.parametrize(
    ("path", "to", "said"),
    [
        (("spec", "engine", "slots"), 4, "spec_digest is"),
        (("spec_digest",), "sha256:" + "0" * 64, "spec_digest is"),
        (("name",), "other", "name is other, want small"),
        (("license", "id"), "mit", "license is"),
        (("gguf", "license"), "mit", "license is"),
        (("gguf", "license"), 5, "license is"),
        (("source", "original"), "file:elsewhere", "source.original is file:elsewhere"),
        (("suites",), {}, "suites is"),
        (("files",), [], "weights is 0, want 1"),
        (("files", 0, "role"), "chat_template", "weights is 0, want 1"),
        (("files", 0, "urls"), [], "urls"),
        (("files", 0, "size"), -1, "size"),
        (("files", 0, "more"), 1, "more"),
        (("files", 0, "path"), "../evil.gguf", "files.0.path: Value error, '../evil.gguf': '..' can't"),
    ],
)
def test_a_lock_that_was_edited_by_hand_contradicts_itself(
    project: Project, path: tuple[str | int, ...], to: Any, said: str
) -> None:
    tamper(project, *path, to=to)
    with pytest.raises(LockOutOfDate, match="is damaged") as caught:
        read_lock(project, "small")
    assert said in caught.value.message


def test_a_lock_under_another_name_is_damaged(project: Project) -> None:
    shutil.copy(lock_path(project, "small"), lock_path(project, "large"))
    with pytest.raises(LockOutOfDate, match="the file's name is large, want small"):
        read_lock(project, "large")


def test_an_argument_edited_by_hand_is_out_of_date(project: Project) -> None:
    argv = list(read_lock(project, "small").argv)
    argv[argv.index("--temp") + 1] = "1.5"
    tamper(project, "argv", to=argv)
    assert [str(change) for change in check(Session(project), "small")] == [f"argv[{argv.index('1.5')}]: 1.5 -> 0.0"]


def test_facts_edited_by_hand_do_not_pass_a_deep_verification(project: Project) -> None:
    tamper(project, "gguf", "context_length", to=999_999)
    session = Session(project)
    lock = session.current("small")
    fetch_all(session, [lock])
    verify_all(session, [lock], deep=False)
    with pytest.raises(LockOutOfDate, match=r"gguf\.context_length: 999999 -> 1024"):
        verify_all(session, [lock], deep=True)
