"""How a hub and its storage lie, and what lies on them."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.matrix.hostile import Front, Hostile, Storage
from tests.matrix.models import endless, gguf
from tests.matrix.stage import FILE, PARTS, REPO, SMALL

Serve = Callable[[Storage], bool]
PAGE = b"<!DOCTYPE html><title>Sign in</title>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 4096\n" % 0


def corrupt(content: bytes) -> bytes:
    """Return other bytes of the same size."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def held(wire: Storage) -> bytes:
    """Return the bytes that are asked for, all of them."""
    assert isinstance(wire.upload.content, bytes)
    return wire.upload.content


def changes_midway(wire: Storage) -> bool:
    """The first answers break off; from then on there is another file of the same size."""
    if wire.turn < 2:
        return wire.serve(cut=SMALL // 4)
    return wire.serve(corrupt(held(wire)))


def total_changes(wire: Storage) -> bool:
    """The first answers break off; from then on the file is said to be longer."""
    return wire.serve(cut=SMALL // 4) if wire.turn < 2 else wire.serve(held(wire) + b"more")


def expires(wire: Storage) -> bool:
    """The first answer breaks off, and its signed address is good no more, nor are all others."""
    if wire.turn:
        return wire.serve(cut=SMALL // 2)
    time.sleep(0.1)  # let others begin too
    wire.hub.expire()
    return wire.serve(cut=SMALL // 4)


def broken_then_whole(wire: Storage) -> bool:
    """The first answer breaks off; from then on ranges are ignored."""
    return wire.serve(cut=SMALL // 4) if wire.turn == 0 else wire.serve(ranges=False)


def swapped(wire: Storage) -> bool:
    """The second and the third part stand in each other's place."""
    at = PARTS.index(wire.name_asked)
    return at > 0 and wire.serve(gguf(SMALL, seed=3 - at, part=3 - at, parts=3))


def page(wire: Storage) -> bool:
    """A login page that is as long as the file."""
    return wire.serve(PAGE.ljust(len(held(wire))), ranges=False)


def longer(wire: Storage) -> bool:
    """More bytes than the file has, and nobody says how many."""
    return wire.serve(held(wire) + b"more", ranges=False, headers={"Content-Length": None})


def announced(more: int) -> Serve:
    """Content-Length is wrong by so many bytes."""
    return lambda wire: wire.serve(ranges=False, length=len(held(wire)) + more)


def to(location: str) -> Callable[[Front], bool]:
    """The hub redirects elsewhere; to itself where ``location`` is empty."""
    return lambda front: front.redirect(location or front.hub.url + front.path)


def shifted(wire: Storage) -> bool:
    """Another part than the one that was asked for."""
    return wire.serve(shift=7)


def stingy(wire: Storage) -> bool:
    """Nearly nothing, whatever is asked for."""
    return wire.serve(cut=999)


def gzipped(wire: Storage) -> bool:
    """The file, said to be compressed."""
    return wire.serve(headers={"Content-Encoding": "gzip"})


def drips(wire: Storage) -> bool:
    """A byte now and then, for ever."""
    return wire.serve(drip=0.3)


def drips_once(wire: Storage) -> bool:
    """The first connection drips, all others are well."""
    return wire.turn == 0 and wire.serve(drip=0.3)


def slow_once(wire: Storage) -> bool:
    """The first connection drips, fast enough not to be given up for that, all others are well."""
    return wire.turn == 0 and wire.serve(drip=0.002)


def silent_once(wire: Storage) -> bool:
    """The first connection falls silent behind the headers, all others are well."""
    return wire.turn == 0 and wire.serve(drip=60.0)


def broken(wire: Storage) -> bool:
    """The storage has a problem and keeps it."""
    wire.reply(500, {})
    return True


def busy(wire: Storage) -> bool:
    """Too many requests, for a moment."""
    if wire.turn > 1:
        return False
    wire.reply(429 if wire.turn else 503, {"Retry-After": "0"})
    return True


def missing(name: str) -> Callable[[Front], bool]:
    """One file is gone."""

    def gone(front: Front) -> bool:
        if name not in front.path:
            return False
        front.error(404, "EntryNotFound", "Entry not found")
        return True

    return gone


def moves(front: Front) -> bool:
    """As soon as the hub has said where the file is, the branch moves on."""
    if front.turn:
        return False
    front.honest()
    front.hub.repos[REPO].commit({FILE: gguf(SMALL, seed=9)})
    return True


def rotten(name: str) -> Serve:
    """One file has other bytes."""
    return lambda wire: wire.name_asked in ("", name) and wire.serve(corrupt(held(wire)))


# What lies on the hub


def endless_header(hub: Hostile) -> None:
    hub.repos[REPO].commit({FILE: endless()})


def colliding(hub: Hostile) -> None:
    hub.repos[REPO].commit({FILE.upper(): gguf(SMALL, seed=7), FILE.lower(): gguf(SMALL, seed=8)})


def crowd(count: int) -> Callable[[Hostile], None]:
    """The repository holds so many more files, and tells them page by page."""

    def arrange(hub: Hostile) -> None:
        many = dict.fromkeys((f"notes/{number // 1000:03}/{number:06}.txt" for number in range(count)), b"x")
        hub.repos[REPO].commit(many)
        hub.alter["/revision/"] = lambda answer: {key: value for key, value in answer.items() if key != "siblings"}

    return arrange


def renamed(hub: Hostile) -> None:
    hub.rename(REPO, "acme/newer-GGUF")
    hub.rename("acme/newer-GGUF", "acme/newest-GGUF")
    hub.renamed["acme/newer-GGUF"] = "acme/newest-GGUF"


def gated(hub: Hostile) -> None:
    hub.repos[REPO].gated = "manual"


def lost_part(hub: Hostile) -> None:
    commit = hub.repos[REPO].commits[hub.repos[REPO].branches["main"]]
    del commit.files[PARTS[1]]


def busy_front(hub: Hostile) -> None:
    hub.limit(2)
