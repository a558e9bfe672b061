from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from pipeline.core.errors import NetworkError
from pipeline.store import fetch as fetching
from pipeline.store import follow, hashing, transfer
from pipeline.store import repair as module
from pipeline.store.layout import Store
from pipeline.store.repair import repair
from pipeline.store.verify import verify
from tests.origin import Origin
from tests.projects import flip
from tests.store.blobs import locked, publish

LEAF = 256 << 10
CONTENT = b"GGUF" + random.Random(5).randbytes(9 * LEAF + 996)
SIZE, DIGEST = len(CONTENT), Digest.of(CONTENT)
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def small_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (hashing, follow, module):
        monkeypatch.setattr(place, "LEAF", LEAF)
    for place in (fetching, module):
        monkeypatch.setattr(place, "SMALL", LEAF)
    monkeypatch.setattr(transfer, "_MOST", 2 * LEAF)
    monkeypatch.setattr(transfer, "_LEAST", LEAF)


def sound(store: Store) -> None:
    path, receipt = store.path(DIGEST), store.receipt(DIGEST)
    assert path.read_bytes() == CONTENT and path.stat().st_mode & 0o777 == 0o444
    assert receipt is not None and receipt.fits(path.stat()) and len(receipt.leaves) == 10
    assert not list(store.root.glob("partial/*"))


@pytest.mark.parametrize("quarantined", [False, True])
def test_only_bad_leaves_are_fetched(store: Store, server: Origin, quarantined: bool) -> None:
    file = locked(CONTENT, server.put("/m.gguf", CONTENT))
    path = publish(store, CONTENT)
    for at in (3 * LEAF + 5, 3 * LEAF + 7, 7 * LEAF, SIZE - 1):
        flip(path, at)
    if quarantined:
        assert not verify(store, [file], deep=True)[0].ok and not path.exists()
    found = repair(store, file, ROOT)
    sound(store)
    assert found.path == path and found.fetched == server.sent == 2 * LEAF + 1000
    assert {span for _, span in server.asked} == {
        f"bytes={3 * LEAF}-{4 * LEAF - 1}",
        f"bytes={7 * LEAF}-{8 * LEAF - 1}",
        f"bytes={9 * LEAF}-{SIZE - 1}",
    }
    assert not list(store.root.glob("quarantine/*")), "the bad version is of no more use"


def test_what_is_good_is_left_alone(store: Store, server: Origin) -> None:
    publish(store, CONTENT)
    store.receipt_path(DIGEST).unlink()
    assert repair(store, locked(CONTENT, server.put("/m.gguf", CONTENT)), ROOT).fetched == 0
    sound(store)
    assert server.asked == []


def test_a_file_that_lost_its_end(store: Store, server: Origin) -> None:
    path = publish(store, CONTENT)
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.truncate(5 * LEAF + 100)
    assert repair(store, locked(CONTENT, server.put("/m.gguf", CONTENT)), ROOT).fetched == SIZE - 5 * LEAF
    sound(store)


@pytest.mark.parametrize("how", ["no receipt", "no leaves", "too few leaves", "forged leaves", "never there"])
def test_leaves_only_save_work(store: Store, server: Origin, how: str) -> None:
    """Whatever a receipt claims, the blob is right in the end."""
    file = locked(CONTENT, server.put("/m.gguf", CONTENT))
    path = publish(store, CONTENT)
    flip(path, 5 * LEAF)
    receipt = store.receipt_path(DIGEST)
    content = json.loads(receipt.read_bytes())
    if how == "no leaves":
        content["leaves"] = []
    elif how == "too few leaves":
        content["leaves"] = content["leaves"][:3]
    elif how == "forged leaves":
        content["leaves"] = list(hashing.Hasher().read(path).leaves)
    receipt.write_text(json.dumps(content))
    if how == "no receipt":
        receipt.unlink()
    if how == "never there":
        path.unlink()
    found = repair(store, file, ROOT)
    sound(store)
    assert found.fetched == (SIZE - 3 * LEAF if how == "too few leaves" else SIZE)


def test_a_repair_that_can_not_be_finished_goes_on_later(store: Store, server: Origin) -> None:
    path = publish(store, CONTENT)
    flip(path, 5 * LEAF)
    with pytest.raises(NetworkError, match="404"):
        repair(store, locked(CONTENT, server.put("/none", status=404)), ROOT)
    assert not path.exists() and len(store.quarantined(DIGEST)) == 1
    assert repair(store, locked(CONTENT, server.put("/m.gguf", CONTENT)), ROOT).fetched == LEAF
    sound(store)


def test_of_several_bad_versions_the_newest_helps(store: Store, server: Origin) -> None:
    """And what is no version of a blob, because it never was one, doesn't."""
    names: list[Path] = []
    for at in (0, 5 * LEAF):
        path = publish(store, CONTENT)
        flip(path, at)
        kept = store.quarantine(path, DIGEST)
        named = kept.with_name(f"{DIGEST.hex}.2026010{len(names)}T000000.00000000")
        kept.with_name(f"{kept.name}.json").rename(named.with_name(f"{named.name}.json"))
        names.append(kept.rename(named))
    stray = store.quarantine(_written(store, b"rubbish"), DIGEST)
    server.put("/m.gguf", CONTENT)
    url = f"http://127.0.0.1:{server.server_port}/m.gguf"
    assert repair(store, locked(CONTENT, url), ROOT).fetched == LEAF
    assert [span for _, span in server.asked] == [f"bytes={5 * LEAF}-{6 * LEAF - 1}"]
    sound(store)
    assert names[0].exists() and not names[1].exists() and stray.exists()


def _written(store: Store, content: bytes) -> Path:
    path = store.partial(DIGEST)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_small_file_is_fetched_whole(store: Store, server: Origin) -> None:
    content = b"GGUF, small"
    path = publish(store, content)
    flip(path)
    found = repair(store, locked(content, server.put("/s.gguf", content)), ROOT)
    assert found.fetched == len(content) and path.read_bytes() == content


def test_from_a_file_of_this_machine(store: Store, tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(CONTENT)
    path = publish(store, CONTENT)
    flip(path, 3)
    assert repair(store, locked(CONTENT, "file:m.gguf"), tmp_path, offline=True).fetched == SIZE
    sound(store)
