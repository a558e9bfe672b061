from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from pipeline.core.errors import UsageError
from pipeline.store import views
from pipeline.store.layout import Store
from pipeline.store.views import stale, view
from tests.store.blobs import locked, publish

CONTENTS = {f"Q4/m-0000{number}-of-00003.gguf": f"GGUF part {number}".encode() for number in (1, 2, 3)}
FILES = [locked(content, path=path) for path, content in CONTENTS.items()]


@pytest.fixture
def full(store: Store) -> Store:
    for content in CONTENTS.values():
        publish(store, content)
    return store


def right(place: Path) -> None:
    assert {entry.name: entry.read_bytes() for entry in place.iterdir()} == {
        path.rpartition("/")[2]: content for path, content in CONTENTS.items()
    }


def test_the_parts_stand_together_under_their_names(full: Store) -> None:
    place = view(full, FILES)
    right(place)
    assert place.parent == full.root / "views"
    for file in FILES:
        assert (place / Path(file.path).name).stat().st_ino == full.path(file.digest).stat().st_ino
    assert view(full, FILES[::-1]) == place and view(full, FILES[:2]) != place
    assert len(list(place.parent.iterdir())) == 2


def test_without_hard_links_there_are_others(full: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    place = view(full, FILES)
    right(place)
    assert all(entry.is_symlink() for entry in place.iterdir()) and view(full, FILES) == place
    full.root.rename(tmp_path / "moved")
    right(tmp_path / "moved" / "views" / place.name)


@pytest.mark.parametrize("damage", ["missing", "more", "another", "a file", "a link"])
def test_a_view_that_is_not_right_is_made_anew(full: Store, tmp_path: Path, damage: str) -> None:
    place = view(full, FILES)
    entry = place / "m-00002-of-00003.gguf"
    if damage == "missing":
        entry.unlink()
    elif damage == "more":
        (place / "m-00004-of-00003.gguf").write_bytes(b"?")
    elif damage == "another":
        entry.unlink()
        entry.write_bytes(CONTENTS["Q4/m-00002-of-00003.gguf"])
    else:
        place.rename(tmp_path / "aside")
        if damage == "a file":
            place.write_bytes(b"?")
        else:
            place.symlink_to(tmp_path / "aside")
    before = full.path(FILES[0].digest).stat().st_ino
    assert view(full, FILES) == place and not place.is_symlink()
    right(place)
    assert entry.stat().st_ino == full.path(FILES[1].digest).stat().st_ino
    assert full.path(FILES[0].digest).stat().st_ino == before
    assert [path.name for path in place.parent.iterdir()] == [place.name]


def test_a_blob_that_was_replaced_gets_into_the_view(full: Store) -> None:
    place = view(full, FILES)
    full.path(FILES[0].digest).unlink()
    with pytest.raises(UsageError, match=r"m-00001-of-00003\.gguf .* is not in the store"):
        view(full, FILES)
    new = publish(full, CONTENTS[FILES[0].path])
    assert (view(full, FILES) / "m-00001-of-00003.gguf").stat().st_ino == new.stat().st_ino
    right(place)


@pytest.mark.parametrize("name", ["..", ".", "a/..", "a\\b", "C:evil", "a\nb", "a\0b", "a/\x1b[31m", ""])
def test_names_that_are_none(full: Store, name: str) -> None:
    with pytest.raises(UsageError, match="is no name for a file"):
        view(full, [FILES[0].model_copy(update={"path": name})])
    assert not (full.root / "views").exists()


def test_names_that_collide(full: Store) -> None:
    with pytest.raises(UsageError, match=r"two files are called A\.GGUF"):
        view(full, [FILES[0].model_copy(update={"path": "x/a.gguf"}), FILES[1].model_copy(update={"path": "y/A.GGUF"})])


def test_many_at_once_make_one(full: Store) -> None:
    places: list[Path] = []
    threads = [threading.Thread(target=lambda: places.append(view(full, FILES))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(places) == 8 and len(set(places)) == 1
    right(places[0])


def test_stale_views(full: Store) -> None:
    all_of_them, two = view(full, FILES), view(full, FILES[:2])
    (full.root / "views" / ".left").mkdir()
    digests = [file.digest for file in FILES]
    assert stale(full, set(digests)) == [full.root / "views" / ".left"]
    assert set(stale(full, set(digests[:2]))) == {full.root / "views" / ".left", all_of_them}
    assert set(stale(full, set())) == {full.root / "views" / ".left", all_of_them, two}
    views.remove(two)
    assert not two.exists() and all(full.has(digest) for digest in digests)
