from __future__ import annotations

import os
import time
from pathlib import Path

import httpx
import pytest

from pipeline.core.errors import UsageError
from pipeline.deploy.door.keys import Keys, key_of, read_keys
from tests.deploy.door.conftest import KEY, OTHER_KEY, Open
from tests.deploy.door.scripted import scripted
from tests.projects import until


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "keys"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_each_key_has_a_caller(tmp_path: Path) -> None:
    keys = Keys(written(tmp_path, f"# two of them\n\nalice {KEY}\n{OTHER_KEY}\nalice second-0123456789abcdef\n"))
    said = [keys.caller(key) for key in (KEY, OTHER_KEY, "second-0123456789abcdef", "", KEY[:-1], KEY + "x", "ü\udc80")]
    assert said == ["alice", "default", "alice", None, None, None, None]


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("", 0o600, "holds no key"),
        ("# nothing\n", 0o600, "holds no key"),
        ("alice short\n", 0o600, ":1 holds no key of 16"),
        (f"alice {KEY} more\n", 0o600, ":1: not a line NAME KEY"),
        (f'ali"ce {KEY}\n', 0o600, ":1: not a line NAME KEY"),
        (f"alice {KEY}\nrobot {KEY}\n", 0o600, ":2: the key of robot is another"),
        (f"alice {KEY}\n", 0o640, "can be read by others"),
        (f"alice {KEY}\n", 0o604, "can be read by others"),
    ],
)
def test_a_file_that_protects_nothing_is_refused(tmp_path: Path, text: str, mode: int, said: str) -> None:
    with pytest.raises(UsageError, match=said) as error:
        read_keys(written(tmp_path, text, mode))
    assert KEY not in error.value.message + error.value.hint


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path, said in (
        (tmp_path / "pipe", "no file of keys"),
        (tmp_path / "none", "No such file"),
        (tmp_path, "no file"),
    ):
        with pytest.raises(UsageError, match=said):
            read_keys(path)


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"authorization": "Bearer abc"}, "abc"),
        ({"authorization": "bearer  abc "}, "abc"),
        ({"authorization": "Basic abc"}, ""),
        ({"x-api-key": "abc"}, "abc"),
        ({"authorization": "Bearer abc", "x-api-key": "def"}, "abc"),
        ({}, ""),
    ],
)
def test_where_a_key_stands(headers: dict[str, str], key: str) -> None:
    assert key_of(headers) == key


def test_a_changed_file_counts_and_a_broken_one_does_not(tmp_path: Path) -> None:
    path = written(tmp_path, f"alice {KEY}\n")
    now = [0.0]
    keys = Keys(path, clock=lambda: now[0])

    def later() -> tuple[str | None, str | None]:
        now[0] += 1
        return keys.caller(KEY), keys.caller(OTHER_KEY)

    assert later() == ("alice", None)
    path.write_text(f"robot {OTHER_KEY}\n")
    assert later() == (None, "robot") and not keys.refused
    path.write_text("alice short\n")
    assert later() == (None, "robot") and "holds no key" in keys.refused
    path.unlink()
    assert later() == (None, "robot") and "No such file" in keys.refused
    written(tmp_path, f"alice {KEY}\n")
    assert later() == ("alice", None) and not keys.refused


def test_a_key_that_is_taken_away_opens_no_more(sockets: Path, door: Open) -> None:
    with scripted(sockets, lambda client, _: None) as engine:
        front = door(engine)
        other = {"X-Api-Key": OTHER_KEY, "Authorization": ""}
        ask = front.client.base_url.join("/v1/models")
        assert [front.client.get(ask).status_code, httpx.get(ask, headers={"X-Api-Key": OTHER_KEY}).status_code] == [
            200
        ] * 2
        front.settings.keys.write_text(f"robot {OTHER_KEY}\n")
        began = time.monotonic()
        until(lambda: front.client.get(ask).status_code == 401, 3)
        assert time.monotonic() - began < 2
        assert front.client.get(ask, headers=other).status_code == 200
        front.settings.keys.write_text("nonsense\n")
        until(lambda: "assay_keys_file_refused 1.0" in front.client.get("/metrics", headers=other).text, 3)
