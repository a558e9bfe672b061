"""Package URLs: names of models for other tools to look up."""

from __future__ import annotations

from urllib.parse import quote

from pipeline.lock.model import LockedFile


def purl(reference: str, name: str, file: LockedFile) -> str:
    """Return the purl of what a pinned reference (``hf://org/repo@commit/file``, ``oci://host/repo@sha256:…``) names; for places that
    have no type of their own, a generic one with the file's sum.
    """
    scheme, _, rest = reference.partition("://")
    place, _, pinned = rest.partition("@")
    if scheme == "hf" and pinned and place.count("/") == 1:
        commit, _, path = pinned.partition("/")
        return f"pkg:huggingface/{quote(place)}@{commit.lower()}" + (f"#{quote(path)}" if path else "")
    if scheme == "oci" and pinned:
        repository = place.rpartition("/")[2].lower()
        return f"pkg:oci/{quote(repository)}@{quote(pinned, safe='')}?repository_url={quote(place, safe='/:')}"
    checksum = f"checksum=sha256:{file.digest.hex}"
    if scheme in ("https", "http"):
        return f"pkg:generic/{quote(name)}?{checksum}&download_url={quote(reference, safe='/:')}"
    return f"pkg:generic/{quote(name)}?{checksum}"
