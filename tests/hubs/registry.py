"""Debian's docker-registry on loopback: real manifests, real uploads, real logins; its token service is ours."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from pipeline.core.digest import Digest

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
USER, PASSWORD = "assay", "open sesame"
# htpasswd -nbB -C 4 assay 'open sesame'
_HTPASSWD = "assay:$2y$04$4kV8Qv3xWgAMiD/r3QkJB.ck8KE2QfXL3YBpkAyggTjB4lpjjUIBa"
_SERVICE, _ISSUER = "registry of the tests", "tests"


@dataclass(frozen=True)
class Layer:
    """One file of an artifact."""

    media_type: str
    content: bytes
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return str(Digest.of(self.content))

    def descriptor(self) -> dict[str, Any]:
        noted = {"annotations": self.annotations} if self.annotations else {}
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content), **noted}


@dataclass(frozen=True)
class Artifact:
    """A manifest with what it names, ready to be pushed. ``more`` are further keys of the manifest, or replace some."""

    layers: Sequence[Layer]
    config: Layer = Layer("application/vnd.oci.empty.v1+json", b"{}")
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def manifest(self) -> bytes:
        listed = [layer.descriptor() for layer in self.layers]
        content = {"schemaVersion": 2, "mediaType": MANIFEST, "config": self.config.descriptor(), "layers": listed}
        return json.dumps({**content, **self.more}).encode()

    @property
    def digest(self) -> str:
        return str(Digest.of(self.manifest))

    def layout(self, folder: Path) -> Path:
        """Write an OCI image layout with this artifact as ``latest``."""
        blobs = folder / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        for content in (self.manifest, self.config.content, *(layer.content for layer in self.layers)):
            (blobs / Digest.of(content).hex).write_bytes(content)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        named = {"org.opencontainers.image.ref.name": "latest"}
        one = {"mediaType": MANIFEST, "digest": self.digest, "size": len(self.manifest), "annotations": named}
        (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [one]}))
        return folder


@dataclass(frozen=True)
class Registry:
    """A registry that runs. ``host`` is ``127.0.0.1:PORT``."""

    host: str
    folder: Path
    authorization: Callable[[str], str] | None = None

    def push(self, name: str, artifact: Artifact, reference: str = "") -> str:
        """Push an artifact, by tag or by digest alone; returns its manifest's digest."""
        for layer in (artifact.config, *artifact.layers):
            self._upload(name, layer)
        return self.put(name, artifact.manifest, MANIFEST, reference)

    def put(self, name: str, manifest: bytes, media_type: str, reference: str = "") -> str:
        """Put a manifest or an index, whose parts are there."""
        digest = str(Digest.of(manifest))
        with self._client(name) as client:
            headers = {"Content-Type": media_type}
            done = client.put(f"/v2/{name}/manifests/{reference or digest}", content=manifest, headers=headers)
        assert done.status_code == 201, done.text
        return digest

    def _upload(self, name: str, layer: Layer) -> None:
        with self._client(name) as client:
            begun = client.post(f"/v2/{name}/blobs/uploads/")
            assert begun.status_code == 202, begun.text
            place = httpx.URL(begun.headers["location"]).copy_add_param("digest", layer.digest)
            done = client.put(place, content=layer.content)
            assert done.status_code == 201, done.text

    def _client(self, name: str) -> httpx.Client:
        headers = {"Authorization": self.authorization(name)} if self.authorization else {}
        return httpx.Client(base_url=f"http://{self.host}", headers=headers, trust_env=False)

    def blob_file(self, digest: str) -> Path:
        """Return the file in which the registry keeps a blob."""
        plain = digest.removeprefix("sha256:")
        return self.folder / "docker" / "registry" / "v2" / "blobs" / "sha256" / plain[:2] / plain / "data"


@contextmanager
def registry(folder: Path, *, basic: bool = False, tokens: Tokens | None = None) -> Iterator[Registry]:
    """Run a registry for as long as the block lasts: open, with a password, or with a token service."""
    program = shutil.which("docker-registry")
    if not program:
        pytest.skip(
            "docker-registry is not installed: NOTHING is known about real registries. "
            "Debian: apt install docker-registry skopeo"
        )
    auth: dict[str, Any] = {}
    authorization: Callable[[str], str] | None = None
    if basic:
        (folder / "htpasswd").write_text(_HTPASSWD + "\n")
        auth = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
        authorization = lambda _: f"Basic {packed(USER, PASSWORD)}"  # noqa: E731
    if tokens:
        granted = ["pull", "push"]
        authorization = lambda name: f"Bearer {tokens.token([grant(name, granted)])}"  # noqa: E731
        auth = {
            "token": {
                "realm": tokens.realm,
                "service": _SERVICE,
                "issuer": _ISSUER,
                "rootcertbundle": str(tokens.certificate),
            }
        }
    config = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder)}, "delete": {"enabled": True}},
        "http": {"addr": "127.0.0.1:0", "secret": "of the tests"},
        **({"auth": auth} if auth else {}),
    }
    (folder / "config.yml").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        yield Registry(_listening(folder / "log", process), folder, authorization)
    finally:
        process.kill()
        process.wait()


def _listening(log: Path, process: subprocess.Popen[bytes]) -> str:
    """Return the address in the registry's log."""
    end = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < end:
        _, found, rest = log.read_text().partition("listening on ")
        if found and '"' in rest:
            return rest.partition('"')[0]
        time.sleep(0.01)
    raise AssertionError(f"docker-registry did not start:\n{log.read_text()}")


class Tokens(ThreadingHTTPServer):
    """A token service: pulls of ``public/…`` for anyone, all else for USER. Tokens are JWTs, signed by openssl.

    ``asked`` are the requests: method, scope, and the Authorization or refresh token that came with them.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Service)
        self.key, self.certificate = folder / "key.pem", folder / "certificate.pem"
        self.asked: list[tuple[str, str, str | None]] = []
        self.name, self.lifetime, self.expires_in = "token", 300.0, 300
        self.refresh_token = "a refresh token"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tests"]
            + ["-keyout", self.key, "-out", self.certificate],
            check=True,
            capture_output=True,
        )

    @property
    def realm(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/token"

    def token(self, access: list[dict[str, Any]]) -> str:
        """Return a token for what is granted."""
        der = "".join(self.certificate.read_text().splitlines()[1:-1])
        now = int(time.time())
        header = {"typ": "JWT", "alg": "RS256", "x5c": [der]}
        claims = {
            "iss": _ISSUER,
            "sub": "",
            "aud": _SERVICE,
            "jti": f"{time.monotonic_ns()}",
            "nbf": now - 600,
            "iat": now - 600,
            "exp": now + int(self.lifetime),
            "access": access,
        }
        signed = ".".join(_packed(json.dumps(part).encode()) for part in (header, claims))
        argv = ["openssl", "dgst", "-sha256", "-sign", str(self.key)]
        signature = subprocess.run(argv, input=signed.encode(), check=True, capture_output=True).stdout
        return f"{signed}.{_packed(signature)}"


class _Service(BaseHTTPRequestHandler):
    server: Tokens

    def do_GET(self) -> None:
        shown = self.headers.get("Authorization")
        self._answer("GET", parse_qs(urlsplit(self.path).query), shown, shown == f"Basic {packed(USER, PASSWORD)}")

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        shown = form.get("refresh_token", [""])[0]
        self._answer("POST", form, shown, shown == self.server.refresh_token)

    def _answer(self, method: str, wanted: dict[str, list[str]], shown: str | None, known: bool) -> None:
        scope = wanted.get("scope", [""])[0]
        self.server.asked.append((method, scope, shown))
        if (shown and not known) or wanted.get("service") != [_SERVICE]:
            self._send(401, {"details": "incorrect username or password"})
            return
        _, name, actions = scope.rsplit(":", 2) if scope.count(":") == 2 else ("", "", "")
        may = ["pull", "push"] if known else ["pull"] if name.startswith("public/") else []
        granted = [action for action in actions.split(",") if action in may]
        access = [grant(name, granted)] if granted else []
        said = {self.server.name: self.server.token(access), "expires_in": self.server.expires_in}
        self._send(200, said)

    def _send(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def tokens(folder: Path) -> Iterator[Tokens]:
    """Run a token service for as long as the block lasts."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: NOTHING is known about tokens. Debian: apt install openssl")
    with ExitStack() as stack:
        server = stack.enter_context(Tokens(folder))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        yield server


def grant(name: str, actions: list[str]) -> dict[str, Any]:
    """Return what a token says of one repository."""
    return {"type": "repository", "name": name, "actions": actions}


def packed(user: str, password: str) -> str:
    """Return user and password as HTTP and Docker's files pack them."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def _packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
