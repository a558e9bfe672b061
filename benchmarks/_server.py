"""A server of its own process for benchmarks: a Hugging Face hub with its storage, and a registry that skopeo can copy from.

Both send from disk by sendfile, each connection at most so many bytes a second, each request after so many seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from pipeline.core.digest import Digest
from tests.hubs._hf_repos import Upload
from tests.hubs.huggingface import Hub, _StorageHandler, hub

REPO = "acme/model-GGUF"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = b'{"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}'


class _Both(_StorageHandler):
    """The hub's storage; below ``/v2/`` it is a registry whose images are the files."""

    def answer(self) -> None:
        if not self.path.startswith("/v2/"):
            return super().answer()
        last = self.path.rpartition("/")[2]
        commit = self.hub.repos[REPO].at("main")
        assert commit
        uploads = {f"sha256:{upload.facts['lfs']['sha256']}": upload for upload in commit.files.values()}
        if "/manifests/" in self.path:
            layers = [
                {
                    "mediaType": "application/vnd.oci.image.layer.v1.tar",
                    "digest": digest,
                    "size": upload.facts["size"],
                }
                for digest, upload in uploads.items()
            ]
            config = {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": str(Digest.of(_CONFIG)),
                "size": len(_CONFIG),
            }
            body = json.dumps({"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": layers}).encode()
            said = {"Content-Type": _MANIFEST, "Docker-Content-Digest": str(Digest.of(body))}
            return self.reply(200, said, body)
        if last in uploads:
            time.sleep(self.hub.latency)
            return self.file(uploads[last], {"Docker-Content-Digest": last}, self.hub.rate)
        return self.reply(200, {}, _CONFIG if last == str(Digest.of(_CONFIG)) else b"{}")


def serve(running: Hub, files: list[Path], digests: list[str], rate: float, latency: float) -> None:
    """Put the files on the hub, say where it is, and stay until stdin ends."""
    running.rate, running.latency = rate, latency
    running.servers[1].RequestHandlerClass = _Both
    uploads = {path.name: Upload(path, sha256=digest) for path, digest in zip(files, digests, strict=True)}
    running.add_repo(REPO, uploads, license="apache-2.0")
    print(json.dumps({"hub": running.url, "storage": running.cdn}), flush=True)
    sys.stdin.read()


def main() -> None:
    """Run until stdin ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", help="FILE=SHA256 …")
    parser.add_argument("--rate", type=float, default=0.0, help="bytes a second of each connection; 0: no limit")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    args = parser.parse_args()
    pairs = [text.rpartition("=") for text in args.files]
    with hub() as running:
        serve(running, [Path(one[0]) for one in pairs], [one[2] for one in pairs], args.rate, args.latency)


if __name__ == "__main__":
    main()
