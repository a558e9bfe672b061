"""Shows a folder of reports in a browser of this machine: over loopback, to be read and nothing else."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from pipeline.core.errors import UsageError

HOST = "127.0.0.1"
INDEX = "index.html"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
}
_TYPES = {".md": "text/plain", ".prom": "text/plain", ".json": "application/json", ".csv": "text/plain"}


class Reports(BaseHTTPRequestHandler):
    """Answers GET and HEAD with files below ``folder``: no list of a folder, no hidden file, no link that leads out."""

    folder: ClassVar[Path]
    server_version = "assay"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        """Send a file."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Send the head of what GET sends."""
        self._answer(body=False)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: stderr is for what users need."""

    def _answer(self, *, body: bool) -> None:
        port = self.connection.getsockname()[1]
        # Another name that leads here would be a page of somebody else's, which must not read the reports.
        if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
            return self._refuse(HTTPStatus.FORBIDDEN)
        path = self._path()
        try:
            content = path.read_bytes() if path else None
        except OSError:
            content = None
        if path is None or content is None:
            return self._refuse(HTTPStatus.NOT_FOUND)
        kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        self._head(HTTPStatus.OK, f"{kind}; charset=utf-8", len(content))
        if body:
            self.wfile.write(content)

    def _path(self) -> Path | None:
        asked = unquote(urlsplit(self.path).path).lstrip("/") or INDEX
        parts = Path(asked).parts
        if "\0" in asked or any(part.startswith(".") for part in parts):
            return None
        path = (self.folder / asked).resolve()
        return path if path.is_relative_to(self.folder.resolve()) and path.is_file() else None

    def _refuse(self, status: HTTPStatus) -> None:
        text = f"{status.value} {status.phrase}\n".encode()
        self._head(status, "text/plain; charset=utf-8", len(text))
        if self.command != "HEAD":
            self.wfile.write(text)

    def _head(self, status: HTTPStatus, kind: str, length: int) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that hangs up is no fault."""


@contextmanager
def served(folder: Path, port: int = 0) -> Iterator[_Server]:
    """Yield a server that listens on loopback; call its ``serve_forever``. Raises UsageError when the port is taken."""
    try:
        server = _Server((HOST, port), type("Handler", (Reports,), {"folder": folder}))
    except OSError as error:
        raise UsageError(f"cannot listen on {HOST}:{port}: {error.strerror}", hint="take another --port") from None
    try:
        yield server
    finally:
        server.server_close()
