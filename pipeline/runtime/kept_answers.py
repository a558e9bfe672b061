"""Answers of before, in the file of ``kept_scores``: what a suite that asks the server is resumed from.

An answer is kept as it came, and judged again each time, so that a better judge needs no new answers. Its key is the request
and how many shared the server with it, under the identity of all that answers: weights, template, engine, machine, arguments.
What did not come (a timeout, a refusal) is not kept, and asked again.
"""

from __future__ import annotations

import json

from pipeline.core.canonical import digest_of
from pipeline.runtime.answer import Answer, Call
from pipeline.runtime.kept_scores import Scores
from pipeline.runtime.serving import Request

_FORM = "answer-1"  # of what is written; another one reads nothing of this


class Answers:
    """The answers in ``scores``, for ``Serving.answers``."""

    def __init__(self, scores: Scores) -> None:
        self._scores = scores

    def get(self, request: Request, at_once: int) -> Answer | None:
        """Return the answer that was kept for a request, or None."""
        found = self._scores.get(_key(request, at_once), _FORM)
        if found is None:
            return None
        said = json.loads(found)
        calls = tuple(Call(*call) for call in said.pop("calls"))
        return Answer(**said, calls=calls)

    def put(self, request: Request, at_once: int, answer: Answer) -> None:
        """Keep an answer, unless it is none."""
        if answer.trouble:
            return
        said = {
            "content": answer.content,
            "reasoning": answer.reasoning,
            "calls": [[call.id, call.name, call.arguments] for call in answer.calls],
            "finish_reason": answer.finish_reason,
            "tokens": answer.tokens,
        }
        self._scores.put(_key(request, at_once), _FORM, json.dumps(said).encode())


def _key(request: Request, at_once: int) -> bytes:
    asked = {"plain": request.plain, "at_once": at_once, "body": request.body}
    return str(digest_of(asked)).encode()
