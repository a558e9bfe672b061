"""A Hugging Face hub on loopback: API, renames, gates and tokens on one port, signed expiring storage on another.

It answers as the hub does: redirects, headers, error codes, pages. ``requests`` keeps who was asked for what, with which token.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from tests.hubs._hf_repos import FIRST_DAY, Commit, Files, Repo, Upload
from tests.origin import served

_PIECE = 4 << 20


@dataclass(frozen=True)
class Request:
    """One request as it came: ``server`` is ``hub`` or ``cdn``."""

    server: str
    method: str
    path: str
    authorization: str | None
    range: str | None


class Hub:
    """The hub's state. ``alter`` maps a part of an API path to a function that changes the JSON of its answer; ``page`` is how many
    entries a page of a tree has; ``expires`` after how many seconds a signed address is refused; ``rate`` bytes per second and
    connection and ``latency`` seconds per request hold for the storage.
    """

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.renamed: dict[str, str] = {}
        self.tokens: set[str] = set()
        self.powerless: set[str] = set()
        self.requests: list[Request] = []
        self.alter: dict[str, Callable[[Any], Any]] = {}
        self.page, self.history_page = 1000, 50
        self.expires, self.rate, self.latency = 3600.0, 0.0, 0.0
        self.limited, self.limited_wait = 0, 0
        self.published_at_head = False
        self.signing = secrets.token_bytes(16)
        self.servers = [_Server(self, _HubHandler), _Server(self, _StorageHandler)]
        self.url, self.cdn = (f"http://127.0.0.1:{server.server_port}" for server in self.servers)

    def environment(self, home: Path) -> dict[str, str]:
        """Return the variables that lead a process here; ``home`` takes the place of the user's own cache and token."""
        own = dict.fromkeys(("HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_CACHE", "HF_HUB_DISABLE_IMPLICIT_TOKEN"), "")
        return {**own, "HF_ENDPOINT": self.url, "HF_HOME": str(home)}

    def add_repo(self, name: str, files: Files | None = None, *, date: datetime | None = None, **how: Any) -> Repo:
        """Add a repository with one commit on ``main``; ``how`` are fields of ``Repo``, and ``license`` for its card."""
        if license := how.pop("license", None):
            how["card"] = {"license": license, **how.get("card", {})}
        repo = self.repos[name] = Repo(name, **how)
        repo.commit(files or {}, date=date)
        return repo

    def rename(self, old: str, new: str) -> None:
        """Rename a repository: the old name redirects."""
        repo = self.repos[new] = self.repos.pop(old)
        repo.name = new
        self.renamed[old] = new

    def add_token(self, token: str, *repos: Repo, powerless: bool = False) -> str:
        """Let a token be known, and let it read ``repos``; a powerless one is known and lacks the right to read anything."""
        self.tokens.add(token)
        if powerless:
            self.powerless.add(token)
        for repo in repos:
            repo.readers.add(token)
        return token

    def limit(self, times: int, wait: int = 0) -> None:
        """Refuse the next requests to the hub with 429, and say to wait so many seconds."""
        self.limited, self.limited_wait = times, wait

    def expire(self) -> None:
        """Make all signed addresses that were given out so far invalid."""
        self.signing = secrets.token_bytes(16)

    def asked(self, server: str) -> list[str]:
        """Return the paths that a server was asked for, in order."""
        return [request.path for request in self.requests if request.server == server]

    @property
    def leaked(self) -> list[Request]:
        """Return the requests that brought a token to the storage: there must never be one."""
        return [request for request in self.requests if request.server == "cdn" and request.authorization]

    def signed(self, repo: Repo, commit: Commit, path: str) -> str:
        """Return an address in the storage that is good for a while."""
        until = time.time() + self.expires
        key = quote(f"/{repo.name}/{commit.id}/{path}")
        return f"{self.cdn}{key}?Expires={until:.3f}&Signature={self.signature(key, f'{until:.3f}')}"

    def signature(self, key: str, until: str) -> str:
        return hmac.new(self.signing, f"{key} {until}".encode(), "sha256").hexdigest()


@contextmanager
def hub() -> Iterator[Hub]:
    """Run a hub and its storage for as long as the block lasts."""
    running = Hub()
    with served(*running.servers):
        yield running


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, state: Hub, handler: type[_Handler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.state = state

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # clients may go away
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    name = ""

    def do_GET(self) -> None:
        self.hub = self.server.state
        if length := int(self.headers.get("Content-Length") or 0):
            self.rfile.read(length)
        asked = Request(self.name, self.command, self.path, self.headers["Authorization"], self.headers["Range"])
        self.hub.requests.append(asked)
        with suppress(ConnectionError):
            self.answer()

    do_HEAD = do_GET

    def answer(self) -> None:
        raise NotImplementedError

    def reply(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def file(self, upload: Upload, headers: Mapping[str, str], rate: float) -> None:
        """Answer with a file, or the range of it that is asked for; from disk by sendfile, at most so many bytes a second."""
        total = upload.real_size
        start, end, status, extent = 0, total, 200, {}
        if found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or ""):
            start, end, status = int(found[1]), min(total, int(found[2] or total) + 1), 206
            if start >= total:
                return self.reply(416, {"Content-Range": f"bytes */{total}"})
            extent = {"Content-Range": f"bytes {start}-{end - 1}/{total}"}
        self.send_response(status)
        said = {"Content-Length": str(end - start), "Content-Type": "binary/octet-stream", "Accept-Ranges": "bytes"}
        for name, value in {**said, **extent, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return None
        piece = max(1, min(_PIECE, int(rate / 20))) if rate else _PIECE
        began = time.monotonic()
        with ExitStack() as stack:
            held = upload.content
            source = stack.enter_context(held.open("rb")) if isinstance(held, Path) else memoryview(held)
            for at in range(start, end, piece):
                size = min(piece, end - at)
                if isinstance(source, memoryview):
                    self.connection.sendall(source[at : at + size])
                else:
                    self.connection.sendfile(source, at, size)
                if rate:
                    time.sleep(max(0.0, began + (at + size - start) / rate - time.monotonic()))
        return None

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _StorageHandler(_Handler):
    name = "cdn"

    def answer(self) -> None:
        time.sleep(self.hub.latency)
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        until, sign = query.get("Expires", "0"), query.get("Signature", "")
        if not hmac.compare_digest(sign, self.hub.signature(parts.path, until)) or float(until) < time.time():
            return self.reply(403, {"Content-Type": "application/xml"}, b"<Error><Code>AccessDenied</Code></Error>")
        _, org, name, commit, path = unquote(parts.path).split("/", 4)
        known = f"{org}/{name}"
        upload = self.hub.repos[self.hub.renamed.get(known, known)].commits[commit].files[path]
        # The storage's own tag is of its parts, never the sha256 of the whole.
        return self.file(upload, {"ETag": f'"{hashlib.md5(path.encode()).hexdigest()}-3"'}, self.hub.rate)


class _HubHandler(_Handler):
    name = "hub"

    def answer(self) -> None:
        parts = urlsplit(self.path)
        names = [unquote(part) for part in parts.path.split("/")[1:]]
        if self.hub.limited:
            self.hub.limited -= 1
            policy = {
                "RateLimit": f'"api";r=0;t={self.hub.limited_wait}',
                "RateLimit-Policy": '"fixed window";"api";q=500;w=300',
            }
            return self.error(429, "", "Too many requests", policy)
        token = (self.headers["Authorization"] or "").removeprefix("Bearer ")
        if token and token not in self.hub.tokens:
            return self.error(401, "", "Invalid credentials in Authorization header")
        api = names[:2] == ["api", "models"]
        org, name, *rest = names[2:] if api else names
        asked = f"{org}/{name}"
        if new := self.hub.renamed.get(asked):
            return self.reply(307, {"Location": self.path.replace(asked, new, 1)}, b"Temporary Redirect. Redirecting")
        repo = self.hub.repos.get(asked)
        if repo is None or (repo.private and token not in repo.readers):
            if not token:
                return self.error(401, "", "Invalid username or password.")
            return self.error(404, "RepoNotFound", "Repository not found")
        if repo.disabled:
            return self.error(403, "", "Access to this resource is disabled.")
        if token in self.hub.powerless:
            return self.error(403, "", "Your token lacks the permission to read this repository")
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        if api:
            return self.api(repo, rest, query)
        return self.resolve(repo, rest[1], "/".join(rest[2:]), token)

    def resolve(self, repo: Repo, rev: str, path: str, token: str) -> None:
        """Redirect to the storage, or send a small file."""
        if repo.gated and token not in repo.readers:
            ask = "Please log in." if not token else "You are not in the authorized list."
            return self.error(403 if token else 401, "GatedRepo", f"Access to model {repo.name} is restricted. {ask}")
        commit = repo.at(rev)
        if commit is None:
            return self.error(404, "RevisionNotFound", f"Invalid rev id: {rev}")
        upload = commit.files.get(path)
        if upload is None:
            return self.error(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": commit.id})
        said = {"X-Repo-Commit": commit.id, "Accept-Ranges": "bytes"}
        facts = upload.facts
        if not upload.lfs:
            return self.file(upload, {**said, "ETag": f'"{facts["oid"]}"'}, 0.0)
        linked = {"X-Linked-Etag": f'"{facts["lfs"]["sha256"]}"', "X-Linked-Size": str(facts["size"])}
        location = self.hub.signed(repo, commit, path)
        return self.reply(302, {**said, **linked, "Location": location}, f"Found. Redirecting to {location}".encode())

    def api(self, repo: Repo, rest: list[str], query: dict[str, str]) -> None:
        verb, rev = (rest or ["revision"])[0], (rest[1] if len(rest) > 1 else "main")
        if verb == "refs":
            refs = {
                kind: [{"name": name, "ref": f"refs/{ref}/{name}", "targetCommit": at} for name, at in named.items()]
                for kind, ref, named in (("branches", "heads", repo.branches), ("tags", "tags", repo.tags))
            }
            return self.json({**refs, "converts": []})
        commit = repo.at(rev)
        if commit is None:
            return self.error(404, "RevisionNotFound", f"Invalid rev id: {rev}")
        if verb == "revision":
            return self.json(self.info(repo, commit, "blobs" in query))
        if verb == "commits":
            lines = [
                {"id": one.id, "title": one.title, "message": "", "authors": [], "date": stamp(one.date)}
                for one in repo.history(commit)
            ]
            return self.page(lines, self.hub.history_page, query)
        if verb == "tree":
            return self.page(tree(commit, "/".join(rest[2:])), self.hub.page, query)
        return self.error(404, "", "Sorry, we can't find the page you are looking for.")

    def info(self, repo: Repo, commit: Commit, blobs: bool) -> dict[str, Any]:
        last = repo.commits[repo.branches["main"]] if self.hub.published_at_head else commit
        siblings: list[dict[str, Any]] = []
        for path, upload in sorted(commit.files.items()):
            siblings.append({"rfilename": path})
            if blobs:
                facts = upload.facts
                siblings[-1] |= {"size": facts["size"], "blobId": facts["oid"]}
                siblings[-1] |= {"lfs": facts["lfs"]} if facts["lfs"] else {}
        return {
            "_id": hashlib.md5(repo.name.encode()).hexdigest()[:24],
            "id": repo.name,
            "modelId": repo.name,
            "author": repo.name.partition("/")[0],
            "sha": commit.id,
            "lastModified": stamp(last.date),
            "createdAt": stamp(FIRST_DAY),
            "private": repo.private,
            "gated": repo.gated,
            "disabled": repo.disabled,
            "downloads": 12,
            "likes": 3,
            "tags": ["gguf"],
            "siblings": siblings,
            **({"cardData": repo.card} if repo.card is not None else {}),
        }

    def page(self, lines: list[dict[str, Any]], size: int, query: dict[str, str]) -> None:
        """Send a part of a list, and in ``Link`` where it goes on."""
        start = int(query.pop("cursor", "0"))
        headers = {}
        if start + size < len(lines):
            path = urlsplit(self.path).path
            following = f"{self.hub.url}{path}?{urlencode({**query, 'cursor': str(start + size)})}"
            headers["Link"] = f'<{following}>; rel="next"'
        self.json(lines[start : start + size], headers)

    def json(self, answer: Any, headers: Mapping[str, str] = {}) -> None:
        for part, change in self.hub.alter.items():
            if part in self.path:
                answer = change(answer)
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.reply(200, {"Content-Type": "application/json; charset=utf-8", **headers}, body)

    def error(self, status: int, code: str, message: str, headers: Mapping[str, str] = {}) -> None:
        said = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {}), **headers}
        self.reply(status, {"Content-Type": "application/json", **said}, json.dumps({"error": message}).encode())


def stamp(time: datetime) -> str:
    """Return a time as the hub writes it."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@lru_cache(8)
def tree(commit: Commit, folder: str) -> list[dict[str, Any]]:
    """Return the lines of a tree: its folders, then its files."""
    inside = f"{folder}/" if folder else ""
    paths = sorted(path for path in commit.files if path.startswith(inside))
    folders = sorted({path[:at] for path in paths for at in range(len(inside), len(path)) if path[at] == "/"})
    lines: list[dict[str, Any]] = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": one} for one in folders]
    for path in paths:
        facts = commit.files[path].facts
        line = {"type": "file", "oid": facts["oid"], "size": facts["size"], "path": path}
        if lfs := facts["lfs"]:
            line["lfs"] = {"oid": lfs["sha256"], "size": lfs["size"], "pointerSize": lfs["pointerSize"]}
        lines.append(line)
    return lines
