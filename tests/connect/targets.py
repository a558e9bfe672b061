"""A target with a name, an address and a path that would break a careless configuration."""

from __future__ import annotations

from pathlib import Path

from pipeline.connect._base import Target

DIGEST = "sha256:" + "ab" * 32
SECRET = "a-key-that-nobody-may-see"


def target(folder: Path, context: int = 4096) -> Target:
    """Return the target; its key file is there, and its folder has a space and a quote in its name."""
    key_file = folder / "it's here" / "key"
    key_file.parent.mkdir()
    key_file.write_text(f"# who may ask\n\nada {SECRET}\nbob another-key-that-is-not-meant\n")
    return Target("tiny-chat", f"tiny-chat@{DIGEST}", "http://127.0.0.1:8080", key_file, context, 128)
