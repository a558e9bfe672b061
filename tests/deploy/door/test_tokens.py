from __future__ import annotations

import json

import pytest

from pipeline.deploy.door.tokens import TAIL, counted


@pytest.mark.parametrize(
    ("tail", "want"),
    [
        (
            b'"usage":{"completion_tokens":7,"prompt_tokens":12,"total_tokens":19},"timings":{"cache_n":5,"prompt_n":7}}',
            (12, 7),
        ),
        (b'"usage": {"input_tokens": 3, "output_tokens": 4}', (3, 4)),
        (b'"timings":{"cache_n":5,"prompt_n":7,"predicted_n":2}}\n\ndata: [DONE]\n\n', (12, 2)),
        (b'"prompt_tokens":1,"completion_tokens":1} data: {"prompt_tokens":2,"completion_tokens":3}', (2, 3)),
        (b"", (None, None)),
        (b'{"embedding": []}', (None, None)),
    ],
)
def test_counts_are_read_from_the_end(tail: bytes, want: tuple[int | None, int | None]) -> None:
    assert counted(tail) == want


def test_a_model_can_not_forge_them() -> None:
    said = '"usage":{"prompt_tokens":999999,"completion_tokens":999999}'
    assert counted(json.dumps({"content": said}).encode()[-TAIL:]) == (None, None)
