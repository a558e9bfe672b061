"""What the formats are shown: a target with one finding of each severity, one of them known."""

from __future__ import annotations

from pipeline.lint.formats._base import Linted
from pipeline.lint.model import Finding, Severity

ERROR = Finding(
    "A201", Severity.ERROR, "the file names no EOS token", "tokenizer.ggml.eos_token_id", "50 %, no\nkey", "set it"
)
WARNING = Finding("A104", Severity.WARNING, "drops the system turn")
INFO = Finding("A202", Severity.INFO, "BOS twice", "chat_template:1:2", "x", "y")
SOME = Linted(
    "small", "specs/small.yaml", (ERROR, WARNING, INFO), (ERROR,), (WARNING,), {"A105": "no tools", "A103": "no tools"}
)
CLEAN = Linted("fine", "fine.gguf", ())
