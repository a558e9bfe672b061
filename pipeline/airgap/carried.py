"""A bundle where it lies: a tar in one file or in chunks, or a folder. Nothing else than what a bundle is made of is taken."""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Iterator
from pathlib import Path

# What follows stands in the script verify.py too: Python 3.8, its standard library, and nothing else.
BLOBS = "blobs/sha256/"
PIECE = 1 << 20
SUMS = re.compile(r"# size (\d{1,18}) chunk (\d{1,18}) sha256 ([0-9a-f]{64})")
BLOCK = 512
_MOST_MEMBERS = 200000
_NAME = re.compile(r"oci-layout|index\.json|README\.txt|verify\.py|blobs/sha256/[0-9a-f]{64}")
_FOLDERS = ("", "blobs", "blobs/sha256")
_KINDS = {"1": "a hard link", "2": "a link", "3": "a device", "4": "a device", "6": "a pipe"}


class Damaged(Exception):
    """The bundle is not as it was made."""


class NoBundle(Exception):
    """There is nothing to check."""


class Tar:
    """A bundle in one file, or cut into chunks. ``sums`` are the sha256 of these files, where they are known."""

    def __init__(self, paths: list[Path], sums: list[str] | None = None) -> None:
        self.paths, self.sums = paths, sums
        self.problems: list[str] = []
        self._sizes = [path.stat().st_size for path in paths]
        self._places = self._scan()
        self.names = {name: size for name, (_, size) in self._places.items()}

    def read(self, name: str) -> bytes:
        """Return the content of a small member."""
        start, size = self._places[name]
        return self._bytes(start, size)

    def contents(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield every member with its bytes, in the order of the file; each must be read to its end. Files that have other sums than
        stated are in ``problems`` afterwards.
        """
        pieces = _Pieces(self.paths, self.sums, self.problems)
        for name, (start, size) in sorted(self._places.items(), key=lambda item: item[1]):
            for _ in pieces.until(start):
                pass
            yield name, pieces.until(start + size)
            padding = b"".join(pieces.until(start + size + -size % BLOCK))
            if any(padding):
                self.problems.append(f"{self.paths[0]}: there are bytes behind the end of {name}")
        for _ in pieces.until(sum(self._sizes)):
            pass

    def _bytes(self, start: int, size: int) -> bytes:
        found = bytearray()
        for number, length in enumerate(self._sizes):
            if start < length and len(found) < size:
                with self.paths[number].open("rb") as file:
                    file.seek(start)
                    found += file.read(size - len(found))
            start = max(0, start - length)
        return bytes(found)

    def _scan(self) -> dict[str, tuple[int, int]]:
        """Return where the members are. Only what a bundle is made of is taken."""
        found: dict[str, tuple[int, int]] = {}
        at, end, where = 0, sum(self._sizes), self.paths[0]
        while True:
            header = self._bytes(at, BLOCK)
            if len(header) < BLOCK:
                raise Damaged(f"{where} ends in the middle, after {end} bytes")
            if not any(header):
                break
            name, size, folder = _header(header, f"{where}, byte {at}")
            at += BLOCK
            if folder:
                continue
            if name in found:
                raise Damaged(f"{where}: {name} is in it twice")
            if at + size > end:
                raise Damaged(f"{where} ends in the middle of {name}, after {end} bytes")
            if len(found) == _MOST_MEMBERS:
                raise Damaged(f"{where} has more than {_MOST_MEMBERS} members")
            found[name] = (at, size)
            at += size + -size % BLOCK
        rest = end - at
        if rest > PIECE or any(self._bytes(at, rest)):
            raise Damaged(f"{where}: there are bytes behind the end of the archive")
        return found


class _Pieces:
    """Reads chunks one after the other and compares the sum of each when it is through."""

    def __init__(self, paths: list[Path], sums: list[str] | None, problems: list[str]) -> None:
        self._at, self._pieces, self._left = 0, self._all(paths, sums, problems), b""

    def until(self, end: int) -> Iterator[bytes]:
        """Yield the bytes from here to ``end``."""
        while self._at < end:
            piece = self._left or next(self._pieces, b"")
            if not piece:
                return
            self._left = piece[end - self._at :]
            piece = piece[: end - self._at]
            self._at += len(piece)
            if not self._left:
                self._left = next(self._pieces, b"")  # or the sum of the last chunk would never be asked for
            yield piece

    @staticmethod
    def _all(paths: list[Path], sums: list[str] | None, problems: list[str]) -> Iterator[bytes]:
        for number, path in enumerate(paths):
            hasher = hashlib.sha256()
            with path.open("rb", buffering=0) as file:
                while True:
                    piece = file.read(PIECE)
                    if not piece:
                        break
                    if sums:
                        hasher.update(piece)
                    yield piece
            if sums and hasher.hexdigest() != sums[number]:
                problems.append(f"{path}: sha256 is {hasher.hexdigest()}, want {sums[number]}")


class Folder:
    """A bundle as a folder: an OCI image layout."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        self.names: dict[str, int] = {}
        for name in _FOLDERS[1:]:
            if not stat.S_ISDIR(self._mode(name)):
                raise Damaged(f"{path / name} is no folder")
        blobs = sorted(BLOBS + one.name for one in (path / BLOBS).iterdir())
        for name in ["oci-layout", "index.json", "README.txt", "verify.py", *blobs]:
            mode = self._mode(name)
            if mode or name in blobs:
                if not stat.S_ISREG(mode) or not _NAME.fullmatch(name):
                    raise Damaged(f"{path / name} has no place in a bundle")
                self.names[name] = (path / name).stat().st_size

    def read(self, name: str) -> bytes:
        """Return the content of a small file."""
        with (self.path / name).open("rb") as file:
            return file.read(self.names[name])

    def contents(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield every file with its bytes."""
        for name in self.names:
            yield name, self._pieces(name)

    def _pieces(self, name: str) -> Iterator[bytes]:
        with (self.path / name).open("rb", buffering=0) as file:
            while True:
                piece = file.read(PIECE)
                if not piece:
                    return
                yield piece

    def _mode(self, name: str) -> int:
        try:
            return (self.path / name).lstat().st_mode
        except OSError:
            return 0


def open_bundle(path: Path) -> Tar | Folder:
    """Return the bundle at ``path``: a folder, a tar, or any chunk of one. Raises NoBundle and Damaged."""
    if path.is_dir():
        return Folder(path)
    chunk = re.fullmatch(r"(.+)\.(?:\d{3,6}|sums)", path.name)
    base = path.with_name(chunk.group(1)) if chunk else path
    sums = base.with_name(f"{base.name}.sums")
    if sums.is_file():
        return _summed(base, sums)
    if not path.is_file():
        raise NoBundle(f"no such file or folder: {path}")
    if chunk:
        raise Damaged(f"missing: {sums}, which says what chunks there are")
    return Tar([path])


def _summed(base: Path, sums: Path) -> Tar:
    """Return the tar that ``sums`` speaks of, in one file or in chunks. It may have been renamed, with all that belongs to it."""
    lines = sums.read_bytes()[:PIECE].decode("utf-8", "replace").splitlines()
    head = SUMS.fullmatch(lines[0]) if lines else None
    rows = [re.fullmatch(r"([0-9a-f]{64})  [^/\\\0]+?(\.\d{3,6})?", line) for line in lines[1:]]
    if not head:
        raise Damaged(f"{sums} is damaged")
    size, chunk = int(head.group(1)), int(head.group(2))
    ends = [f".{number:03d}" for number in range(1, -(-size // chunk) + 1)] if chunk else [""]
    if not all(rows) or [(row and chunk and row.group(2)) or "" for row in rows] != ends:
        raise Damaged(f"{sums} does not name {len(ends)} files in order")
    paths = [base.with_name(base.name + end) for end in ends]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise Damaged(f"missing: {', '.join(missing)}")
    wrong = []
    for number, path in enumerate(paths):
        have, want = path.stat().st_size, min(chunk or size, size - number * chunk)
        if have != want:
            wrong.append(f"{path} has {have} bytes, want {want}")
    if wrong:
        raise Damaged("\n".join(wrong))
    stated = [row.group(1) for row in rows if row]
    try:
        return Tar(paths, stated)
    except Damaged as error:  # it may be one of the files alone
        for _ in _Pieces(paths, stated, wrong).until(size):
            pass
        raise Damaged("\n".join(wrong) or str(error)) from None


def _header(block: bytes, where: str) -> tuple[str, int, bool]:
    """Return the name, the size and whether it is a folder, of a tar header."""
    total = sum(block[:148]) + 8 * 32 + sum(block[156:])
    if _number(block[148:156], where) != total:
        raise Damaged(f"{where}: damaged, or no tar")
    kind = chr(block[156])
    name = block[:100].split(b"\0")[0].decode("utf-8", "replace")
    if block[257:263] == b"ustar\0" and any(block[345:500]):
        name = block[345:500].split(b"\0")[0].decode("utf-8", "replace") + "/" + name
    if kind not in "0\0" + "5":
        raise Damaged(f"{where}: {shown(name)} is {_KINDS.get(kind, 'something else than a file')}; refused")
    short = name[2:] if name.startswith("./") else name
    size = _number(block[124:136], where)
    if kind == "5":
        if short.rstrip("/") not in (*_FOLDERS, ".") or size:
            raise Damaged(f"{where}: {shown(name)} has no place in a bundle; refused")
        return short, 0, True
    if not _NAME.fullmatch(short):
        raise Damaged(f"{where}: {shown(name)} has no place in a bundle; refused")
    return short, size, False


def _number(field: bytes, where: str) -> int:
    """Return a number of a header: octal, or binary where it is large."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    text = field.strip(b"\0 ")
    if not re.fullmatch(rb"[0-7]{1,12}", text):
        raise Damaged(f"{where}: damaged, or no tar")
    return int(text, 8)


def shown(text: str) -> str:
    """Return a text that no terminal obeys."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text[:300])
