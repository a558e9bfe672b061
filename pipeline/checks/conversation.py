"""What a turn says, as messages of the API."""

from __future__ import annotations

import json
from typing import Any

from pipeline.checks.diagnose import Fault
from pipeline.checks.model import Verdict
from pipeline.checks.suite import Turn
from pipeline.runtime.answer import Answer

_LINE = "The boat passed the old mill and the stone bridge at noon."


def said(turn: Turn, before: Answer) -> tuple[list[dict[str, Any]], Fault | None]:
    """Return the messages of a turn. Results answer the calls of the answer ``before``, with the ids that the server gave."""
    if turn.messages is not None:
        return [dict(message) for message in turn.messages], None
    if turn.user is not None:
        content = f"{padding(turn.padding)}\n\n{turn.user}" if turn.padding else turn.user
        return [{"role": "user", "content": content}], None
    results = turn.results or ()
    if len(before.calls) != len(results):
        words = f"{len(results)} results wait for {len(before.calls)} calls"
        return [], Fault("not_reached", words, Verdict.UNKNOWN)
    messages = []
    for call, result in zip(before.calls, results, strict=True):
        content = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
        messages.append({"role": "tool", "tool_call_id": call.id, "name": call.name, "content": content})
    return messages, None


def padding(words: int) -> str:
    """Return that many words of plain text, in numbered lines, so that no two are alike."""
    lines = (f"{number}. {_LINE}" for number in range(1, words // 12 + 2))
    return " ".join(" ".join(lines).split()[:words])
