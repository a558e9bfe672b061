from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pipeline.core.errors import UsageError
from pipeline.report.serve import served


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, httpx.Client]]:
    folder = tmp_path / "reports"
    (folder / "hardware").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>Catalog</h1>")
    (folder / "hardware" / "a.html").write_text("machine")
    (folder / "x.json").write_text("{}")
    (folder / ".secret").write_text("hidden")
    (tmp_path / "outside.txt").write_text("outside")
    (folder / "link.html").symlink_to(tmp_path / "outside.txt")
    with served(folder) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        host, port = server.server_address[:2]
        assert host == "127.0.0.1"
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            yield folder, client
        server.shutdown()
        thread.join()


def test_files_below_the_folder_are_shown(site: tuple[Path, httpx.Client]) -> None:
    _, client = site
    index = client.get("/")
    assert (index.status_code, index.text) == (200, "<h1>Catalog</h1>")
    assert index.headers["content-type"] == "text/html; charset=utf-8"
    assert index.headers["x-content-type-options"] == "nosniff"
    assert client.get("/hardware/a.html?x=1#y").text == "machine"
    assert client.get("/x.json").headers["content-type"].startswith("application/json")
    head = client.head("/")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "16")


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/nothing.html",
            "/hardware",
            "/hardware/",
            "/.secret",
            "/link.html",
            "/../outside.txt",
            "/%2e%2e/outside.txt",
        ),
        *("//etc/passwd", "/etc/passwd", "/%2fetc/passwd", "/a%00b", "/hardware/%2e%2e/%2e%2e/outside.txt", "/%ff"),
    ],
)
def test_nothing_else_is(site: tuple[Path, httpx.Client], path: str) -> None:
    _, client = site
    base = client.base_url
    request = httpx.Request("GET", base, extensions={"target": path.encode()})  # as it stands: nothing is tidied up
    answer = client.send(request)
    assert answer.status_code == 404 and "outside" not in answer.text and "root:" not in answer.text


def test_only_reading_and_only_by_its_own_name(site: tuple[Path, httpx.Client]) -> None:
    folder, client = site
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert client.request(method, "/index.html").status_code == 501
    assert client.get("/", headers={"Host": "evil.test"}).status_code == 403
    assert (folder / "index.html").read_text() == "<h1>Catalog</h1>"


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        port = server.server_address[1]
        with pytest.raises(UsageError, match="cannot listen"), served(tmp_path, port):
            pass
