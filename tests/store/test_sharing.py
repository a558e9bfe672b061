from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pipeline.core.errors import UsageError
from pipeline.core.project import Project
from pipeline.store.layout import Store
from pipeline.store.sharing import adding, alone, forget, register, users

HOLDS = """
import sys
from pathlib import Path
from pipeline.store.layout import Store
from pipeline.store.sharing import adding
with adding(Store(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


def held(store: Store) -> list[str]:
    return sorted(path.name for path in (store.root / "locks").iterdir() if path.name.startswith("adding-"))


def test_any_number_may_add_and_a_prune_may_not_begin_until_the_last_has_ended(store: Store) -> None:
    with adding(store):
        with adding(store):
            pass
        with pytest.raises(UsageError, match="being locked, imported or pruned") as caught, alone(store):
            pytest.fail("it began")
        assert "again" in caught.value.hint
        with adding(store):  # a prune that was refused is in nobody's way
            pass
    with alone(store):
        assert held(store) == []
    with pytest.raises(UsageError), alone(store), alone(store):
        pytest.fail("two at once")


def test_who_wants_to_add_waits_for_a_prune(store: Store) -> None:
    said: list[str] = []

    def add() -> None:
        with adding(store):
            said.append("added")

    thread = threading.Thread(target=add)
    with alone(store):
        thread.start()
        thread.join(0.3)
        said.append("pruned")
    thread.join()
    assert said == ["pruned", "added"]


def test_one_that_was_killed_keeps_nobody_out(store: Store) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(store.root)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout and process.stdout.readline() == b"held\n"
        with pytest.raises(UsageError), alone(store):
            pytest.fail("it began")
        process.kill()
    assert held(store)
    with alone(store):
        assert held(store) == []


def test_a_store_that_may_only_be_read_is_in_nobodys_way() -> None:
    with TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store")
        store.root.parent.chmod(0o755)
        store.root.mkdir(0o555)
        before = os.geteuid()
        try:
            if before == 0:  # root may write everywhere
                os.seteuid(65534)
            with adding(store):
                assert not Path(store.root, "locks").exists()
        finally:
            os.seteuid(before)
        store.root.chmod(0o755)


def test_projects_beside_the_store_are_known_until_they_are_forgotten(store: Store, tmp_path: Path) -> None:
    one, two, inside = Project(tmp_path / "one"), Project(tmp_path / "two"), Project(store.root.parent)
    for project in (one, two, inside):
        register(project, store)
    assert users(one, store) == [one.root, two.root] and users(inside, store) == [inside.root, one.root, two.root]
    (store.root / "projects" / ".killed.abc").write_text("/nowh")
    forget(two.root, store)
    assert users(one, store) == [one.root]


def test_projects_that_can_not_be_listed_are_not_taken_for_none(store: Store, tmp_path: Path) -> None:
    store.root.mkdir(parents=True, exist_ok=True)
    (store.root / "projects").write_text("")
    with pytest.raises(NotADirectoryError):
        users(Project(tmp_path), store)
