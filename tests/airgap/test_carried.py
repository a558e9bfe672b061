"""Hostile and damaged bundles: each is refused, by the script and here, in words, and nothing is taken in."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.airgap.carried import Damaged, Folder, NoBundle, open_bundle
from pipeline.airgap.checking import check
from pipeline.airgap.importing import take_in
from pipeline.core.errors import DigestMismatch
from pipeline.core.project import Project
from tests.airgap.bundles import bundled, elsewhere, files_in, members, script_of, verify, write_tar
from tests.projects import flip

Parts = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture(scope="module")
def whole(cold_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good bundle."""
    import shutil

    folder = tmp_path_factory.mktemp("whole")
    project = Project(shutil.copytree(cold_project.root, folder / "project"))
    bundled(project, folder / "small.tar")
    (folder / "small.tar.sums").unlink()
    return folder / "small.tar"


def refused(bundle: Path, script: Path, folder: Path) -> str:
    """Show the bundle to the script and to ``import``; returns what the script says."""
    project, store = elsewhere(folder)
    before = files_in(folder)
    with pytest.raises(DigestMismatch) as caught:
        take_in(bundle, project, store)
    assert files_in(folder) == before
    done = verify(bundle, script=script)
    assert (done.returncode, done.stderr) == (1, ""), done
    assert caught.value.exit_code == 5
    assert caught.value.message.splitlines()[0][-60:] in done.stdout
    return done.stdout


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


HOSTILE: dict[str, tuple[tarfile.TarInfo, str]] = {
    "absolute": (member("/etc/passwd"), "/etc/passwd has no place in a bundle"),
    "upwards": (member("../../x"), "../../x has no place in a bundle"),
    "upwards in the blobs": (member("blobs/sha256/../../../x"), "no place in a bundle"),
    "another file": (member("setup.py"), "setup.py has no place in a bundle"),
    "a blob that is none": (member("blobs/sha256/" + "A" * 64), "no place in a bundle"),
    "a link": (member("README.md", tarfile.SYMTYPE, "/etc/passwd"), "README.md is a link"),
    "a link in place of the index": (member("index.json", tarfile.SYMTYPE, "/etc/passwd"), "index.json is a link"),
    "a hard link": (member("blobs/sha256/" + "0" * 64, tarfile.LNKTYPE, "oci-layout"), "is a hard link"),
    "a device": (member("blobs/sha256/" + "0" * 64, tarfile.CHRTYPE), "is a device"),
    "a pipe": (member("verify.py", tarfile.FIFOTYPE), "is a pipe"),
    "a folder": (member("etc", tarfile.DIRTYPE), "etc/ has no place in a bundle"),
    "a sparse file": (member("blobs/sha256/" + "0" * 64, tarfile.GNUTYPE_SPARSE), "something else than a file"),
    "twice": (member("oci-layout"), "oci-layout is in it twice"),
    "what a terminal obeys": (member("\x1b[31mx"), "\\u001b[31mx has no place in a bundle"),
}


@pytest.mark.parametrize("how", HOSTILE)
@pytest.mark.parametrize("first", [True, False])
def test_a_hostile_member_is_refused(whole: Path, tmp_path: Path, how: str, first: bool) -> None:
    info, said = HOSTILE[how]
    parts = members(whole)
    bad = write_tar(tmp_path / "bad.tar", [(info, b""), *parts] if first else [*parts, (info, b"")])
    assert said in refused(bad, script_of(whole, tmp_path), tmp_path / "project")


def test_extended_headers_are_refused_unread(whole: Path, tmp_path: Path) -> None:
    """A header that says how long a name is can be made to fill the memory."""
    script = script_of(whole, tmp_path)
    pax = write_tar(tmp_path / "pax.tar", [(member("x" * 150), b"")], tarfile.PAX_FORMAT)
    gnu = write_tar(tmp_path / "gnu.tar", [(member("x" * 150), b"")], tarfile.GNU_FORMAT)
    huge = member("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    huge.size = 1 << 50
    (tmp_path / "huge.tar").write_bytes(huge.tobuf(tarfile.GNU_FORMAT) + whole.read_bytes())
    for number, bad in enumerate((pax, gnu, tmp_path / "huge.tar")):
        assert "something else than a file" in refused(bad, script, tmp_path / f"project{number}")


def size_of(info: tarfile.TarInfo, size: int) -> bytes:
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


DAMAGED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut in a blob": (lambda all: all[:-100_000], "ends in the middle of blobs/"),
    "cut between": (lambda all: all[:-1024], "ends in the middle"),
    "cut in a header": (lambda all: all[:700], "ends in the middle"),
    "empty": (lambda all: b"", "ends in the middle, after 0 bytes"),
    "no members": (lambda all: bytes(1024), "missing: oci-layout"),
    "text": (lambda all: b"I am no tar\n" * 1000, "damaged, or no tar"),
    "a header's bit": (lambda all: bytes([all[0] ^ 1]) + all[1:], "damaged, or no tar"),
    "more behind it": (lambda all: all + b"more", "bytes behind the end of the archive"),
    "much behind it": (lambda all: all + bytes(3 << 20), "bytes behind the end of the archive"),
    "hidden behind a member": (lambda all: all[:1000] + b"x" + all[1001:], "bytes behind the end of oci-layout"),
    "a size of 2**60": (lambda all: size_of(member("oci-layout"), 1 << 60) + all[512:], "ends in the middle of oci-"),
    "a bit of the weights": (lambda all: all[:-5000] + bytes([all[-5000] ^ 1]) + all[-4999:], ": sha256 is "),
}


@pytest.mark.parametrize("how", DAMAGED)
def test_damage_is_named(whole: Path, tmp_path: Path, how: str) -> None:
    change, said = DAMAGED[how]
    bad = tmp_path / "bad.tar"
    bad.write_bytes(change(whole.read_bytes()))
    assert said in refused(bad, script_of(whole, tmp_path), tmp_path / "project")


def swap(one: Path, other: Path) -> None:
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


CUT: dict[str, tuple[Callable[[list[Path]], object], str]] = {
    "a bit of a chunk": (lambda chunks: flip(chunks[1], 70_000), "cut.tar.002: sha256 is"),
    "a bit of the last": (lambda chunks: flip(chunks[-2], 1000), ": sha256 is"),
    "a bit in a header": (lambda chunks: flip(chunks[0], 0), "cut.tar.001: sha256 is"),
    "a missing chunk": (lambda chunks: chunks[1].unlink(), "missing: "),
    "a short chunk": (lambda chunks: os.truncate(chunks[1], 9), "cut.tar.002 has 9 bytes, want 1048576"),
    "swapped chunks": (lambda chunks: swap(chunks[0], chunks[1]), "cut.tar.001: sha256 is"),
    "no sums": (lambda chunks: chunks[-1].unlink(), "cut.tar.sums, which says what chunks there are"),
    "empty sums": (lambda chunks: chunks[-1].write_text(""), "cut.tar.sums is damaged"),
    "sums without a chunk": (lambda chunks: chunks[-1].write_text("\n".join(chunks[-1].read_text().split("\n")[:-2])), "does not name"),
    "other sums": (lambda chunks: chunks[-1].write_text("".join(line[:-1] for line in chunks[-1].read_text())), "damaged"),
}  # fmt: skip


@pytest.mark.parametrize("how", CUT)
def test_a_bad_chunk_is_named(whole: Path, project: Project, tmp_path: Path, how: str) -> None:
    made = bundled(project, tmp_path / "cut.tar", chunk=1 << 20)
    change, said = CUT[how]
    change(list(made.paths))
    assert said in refused(tmp_path / "cut.tar.001", script_of(whole, tmp_path), tmp_path / "elsewhere")


def test_sums_beside_a_whole_tar_are_compared(whole: Path, project: Project, tmp_path: Path) -> None:
    bundled(project, tmp_path / "small.tar")
    content = (tmp_path / "small.tar").read_bytes()
    at = content.index(b"Models, each with its lock")  # no digest but the sum covers the words of the README
    flip(tmp_path / "small.tar", at)
    assert "small.tar: sha256 is" in refused(tmp_path / "small.tar", script_of(whole, tmp_path), tmp_path / "elsewhere")


def test_a_renamed_bundle_is_still_one(project: Project, tmp_path: Path) -> None:
    for path in bundled(project, tmp_path / "cut.tar", chunk=1 << 20).paths:
        path.rename(tmp_path / path.name.replace("cut.tar", "a new name (1)"))
    assert check(open_bundle(tmp_path / "a new name (1)"))[1] == []


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("a link to a blob", "has no place in a bundle"),
        ("linked blobs", "is no folder"),
        ("a linked index", "has no place in a bundle"),
        ("a folder among blobs", "has no place in a bundle"),
        ("another name", "has no place in a bundle"),
        ("a bit", ": sha256 is "),
        ("no blob", "missing: blobs/sha256/"),
        ("no index", "missing: index.json"),
        ("no blobs", "is no folder"),
    ],
)
def test_a_folder_is_looked_at_as_hard(whole: Path, tmp_path: Path, how: str, said: str) -> None:
    root = tmp_path / "layout"
    with tarfile.open(whole) as tar:
        tar.extractall(root, filter="data")
    blobs = root / "blobs" / "sha256"
    largest = max(blobs.iterdir(), key=lambda path: path.stat().st_size)
    match how:
        case "a link to a blob":
            largest.rename(tmp_path / "away")
            largest.symlink_to(tmp_path / "away")
        case "linked blobs":
            blobs.rename(tmp_path / "away")
            blobs.symlink_to(tmp_path / "away")
        case "a linked index":
            (root / "index.json").rename(tmp_path / "away")
            (root / "index.json").symlink_to(tmp_path / "away")
        case "a folder among blobs":
            (blobs / ("0" * 64)).mkdir()
        case "another name":
            (blobs / "notes.txt").write_text("")
        case "a bit":
            flip(largest, 1000)
        case "no blob":
            largest.unlink()
        case "no index":
            (root / "index.json").unlink()
        case "no blobs":
            blobs.rename(tmp_path / "away")
    assert said in refused(root, script_of(whole, tmp_path), tmp_path / "project")


def test_what_is_no_bundle(whole: Path, tmp_path: Path) -> None:
    script = script_of(whole, tmp_path)
    for name in ("none.tar", "none.tar.001", "none"):
        with pytest.raises(NoBundle, match="no such file or folder"):
            open_bundle(tmp_path / name)
        assert verify(tmp_path / name, script=script).returncode == 2
    assert verify("a", "b", script=script).returncode == 2
    assert verify("--help", script=script).returncode == 0
    with pytest.raises(Damaged, match="is no folder"):
        Folder(tmp_path)
    assert verify(script=script).returncode == 1  # its own folder is no bundle
