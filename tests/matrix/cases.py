"""The failure matrix: what can go wrong between a hub and a verified file, and how it must end.

Each case ends in the right file or in a clear error, and nothing unverified is left under a final name. ``tests/matrix/test_failures.py``
holds Assay to it; ``benchmarks/failures.py`` shows what Assay and the hub's own client make of the same cases.
"""

from __future__ import annotations

from tests.matrix import lies, plays
from tests.matrix.lies import PAGE, POINTER, announced, corrupt, held, to
from tests.matrix.stage import FILE, LARGE, PARTS, REPO, SMALL, Case

_OTHER = "is not what the lock names"
_SIZE = r"has \d+ bytes, not the \d+ of"
_ASTRAY = "redirected to a URL that is not allowed"
_QUANT = f"hf://{REPO}:Q8_0"
_NOTHING = f"hf://acme/nothing/{FILE}"
_ONE = (SMALL,)

WIRE = (
    Case("nothing is wrong", right=True),
    Case("same-size corruption", says=_OTHER, storage=lambda w: w.serve(corrupt(held(w)))),
    Case("another file appears under way", says=_OTHER, storage=lies.changes_midway),
    Case("Content-Range total changes", says=_SIZE, storage=lies.total_changes),
    Case("Content-Range starts elsewhere", code=4, says="asked for bytes from", storage=lies.shifted, sizes=(LARGE,)),
    Case("server ignores Range", right=True, storage=lambda w: w.serve(ranges=False)),
    Case("breaks off, then ignores Range", right=True, storage=lies.broken_then_whole),
    Case("each answer breaks off", right=True, storage=lambda w: w.serve(cut=300_000)),
    Case("each answer breaks off at once", code=4, says="are missing|ended after", storage=lies.stingy, sizes=_ONE),
    Case("Content-Length too long", says=_SIZE, storage=announced(999)),
    Case("Content-Length too short", says=_SIZE, storage=announced(-999)),
    Case("no Content-Length, more bytes", says=r"got +more than \d+ bytes", storage=lies.longer),
    Case("gzip body", code=4, says="compressed", storage=lies.gzipped),
    Case("HTML page instead of the file", says="HTML page", storage=lambda w: w.serve(PAGE, ranges=False)),
    Case("HTML page of the same size", says="HTML page", storage=lies.page),
    Case("LFS pointer instead of the file", says="Git LFS pointer", storage=lambda w: w.serve(POINTER, ranges=False)),
    Case("busy: 503, then 429", right=True, storage=lies.busy),
    Case("broken for good: 500", code=4, says="500", storage=lies.broken, sizes=_ONE),
    Case("hub limits requests", right=True, arrange=lies.busy_front, early=True, sizes=_ONE),
    Case("drips byte by byte, once", right=True, storage=lies.drips_once),
    Case("drips byte by byte, always", code=4, says=r"only \d+ bytes came", storage=lies.drips, peer=False),
    Case("one connection of many is slow", right=True, storage=lies.slow_once, sizes=(LARGE,)),
    Case("silent after the headers, once", right=True, storage=lies.silent_once),
    Case("signed address expires", right=True, storage=lies.expires),
    Case("branch moves after the metadata", right=True, front=lies.moves, sizes=_ONE),
)
FRONT = (
    Case("redirect loop", code=4, says="more than 5 redirects", front=to(""), sizes=_ONE),
    Case("redirect to file://", code=4, says=_ASTRAY, front=to("file:///etc/passwd"), sizes=_ONE),
    Case("redirect to 10.0.0.1", code=4, says=_ASTRAY, front=to("http://10.0.0.1/x"), sizes=_ONE),
    Case("redirect to 169.254.169.254", code=4, says=_ASTRAY, front=to("http://169.254.169.254/x"), sizes=_ONE),
    Case("renamed twice", right=True, arrange=lies.renamed, early=True, sizes=_ONE),
    Case("gated, no token", code=4, says="is gated", arrange=lies.gated, early=True, token=False, sizes=_ONE),
    Case(
        "missing repository, no token",
        code=4,
        says="private, gated or missing",
        early=True,
        token=False,
        reference=_NOTHING,
        sizes=_ONE,
    ),
    Case("names differ in case alone", right=True, arrange=lies.colliding, early=True, sizes=_ONE),
    Case(
        "names differ in case alone, by quant",
        code=2,
        says="may be any of",
        arrange=lies.colliding,
        early=True,
        reference=_QUANT,
        sizes=_ONE,
        peer=False,
    ),
    Case("2 500 files over pages", right=True, arrange=lies.crowd(2_500), early=True, reference=_QUANT, sizes=_ONE),
    Case("100 000 files over pages", right=True, arrange=lies.crowd(100_000), early=True, reference=_QUANT, sizes=_ONE),
    Case(
        "header announces 2^64 - 1 keys",
        code=2,
        says="metadata keys",
        arrange=lies.endless_header,
        early=True,
        sizes=_ONE,
        peer=False,
    ),
)
SETS = (
    Case(
        "part 2 of 3 is corrupted",
        says=f"{PARTS[1]}.* {_OTHER}",
        parts=True,
        storage=lies.rotten(PARTS[1]),
        reference=_QUANT,
        sizes=_ONE,
    ),
    Case("parts 2 and 3 are swapped", says=_OTHER, parts=True, storage=lies.swapped, reference=_QUANT, sizes=_ONE),
    Case(
        "part 2 of 3 vanishes",
        code=4,
        says=f"no {PARTS[1]}",
        parts=True,
        front=lies.missing(PARTS[1]),
        reference=_QUANT,
        sizes=_ONE,
    ),
    Case(
        "part 2 of 3 was never there",
        code=2,
        says="missing",
        parts=True,
        arrange=lies.lost_part,
        early=True,
        reference=_QUANT,
        sizes=_ONE,
    ),
)
HERE = (
    Case("two processes, one file", right=True, play=plays.two_processes),
    Case("kill -9 half way, then again", right=True, play=plays.killed),
    Case("disk full", code=2, says="can't write", play=plays.full_disk),
    Case("bit flip at rest", right=True, play=plays.rot, sizes=_ONE),
    Case("link planted where the file goes", right=True, play=plays.planted, sizes=_ONE),
)
CASES = (*WIRE, *FRONT, *SETS, *HERE)
