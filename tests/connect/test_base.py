from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipeline.connect._base import KEY, client_of, clients
from pipeline.core.errors import UsageError
from tests.connect.targets import DIGEST, SECRET, target


def test_the_clients_are_found_by_name() -> None:
    assert {"claude-code", "continue", "open-webui", "openai"} <= set(clients())
    with pytest.raises(UsageError, match="no client 'chatgpt'") as raised:
        client_of("chatgpt")
    assert "litellm" in raised.value.hint


@pytest.mark.parametrize("name", clients())
def test_a_client_asks_for_the_bytes_and_shows_no_key(tmp_path: Path, name: str) -> None:
    found = target(tmp_path)
    text = client_of(name).render(found)
    assert DIGEST in text or name == "open-webui"
    assert found.url in text
    assert KEY in text or str(found.key_file) in text
    assert SECRET not in text
    assert text.endswith("\n")


def test_the_shell_takes_the_first_key(tmp_path: Path) -> None:
    found = target(tmp_path)
    done = subprocess.run(["sh", "-euc", f'{found.export}; printf %s "${KEY}"'], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (SECRET, "")
