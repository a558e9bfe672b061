from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.gguf.header import read_header
from pipeline.runtime.ask import ask
from pipeline.runtime.build import EngineBuild
from pipeline.runtime.hollow import serving
from pipeline.runtime.playback import MARGIN, MOST_TOKENS, WIDTH, blocks, codes, says, write_playback
from pipeline.runtime.script import Script
from tests import zoo

GREEDY: dict[str, Any] = {"temperature": 0, "samplers": ["top_k"], "top_k": 1}


def test_codes_are_balanced_and_far_apart() -> None:
    found = codes(300)
    assert found.shape == (300, WIDTH) and set(np.unique(found)) == {-1, 1}
    assert not found.sum(axis=1).any()
    assert max(float(one @ other) for one, other in combinations(found[:100], 2)) <= WIDTH - 2 * MARGIN
    assert (codes(40) == found[:40]).all()


def test_too_many_codes_are_refused() -> None:
    with pytest.raises(ValueError, match="can't be kept apart"):
        codes(MOST_TOKENS + 1)


def test_what_the_body_hears_is_loudest_for_its_own_code() -> None:
    code = codes(200)
    heard = np.array([says(code, row) for row in code])
    assert (heard.argmax(axis=1) == np.arange(200)).all()


def test_blocks_hold_codes_without_loss() -> None:
    (block,) = blocks(codes(1))
    halves = np.concatenate([block[2:] & 15, block[2:] >> 4]).astype(int) - 8
    assert np.frombuffer(block[:2].tobytes(), np.float16)[0] == 1 and (halves == codes(1)[0]).all()


def test_a_script_must_fit_the_context(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ends at position 9"):
        write_playback(read_header(zoo.SOUND), tmp_path / "p.gguf", [Script(9, (1, 2))], 9)


def test_it_says_what_it_is_told(engine_build: EngineBuild, tmp_path: Path) -> None:
    header, path, again = read_header(zoo.SOUND), tmp_path / "p.gguf", tmp_path / "again.gguf"
    end, words = zoo.token("<|im_end|>"), [zoo.token(text) for text in ("letter", "Tool", "letter")]
    bodies = [
        {**GREEDY, "max_tokens": 8, "messages": [{"role": "user", "content": text}]} for text in ("a", "a b c d e")
    ]
    write_playback(header, path, [], 256)
    with serving(engine_build, path, context=256) as server:
        prompts = [server.client.post("/apply-template", json=body).json()["prompt"] for body in bodies]
        lengths = [
            len(server.client.post("/tokenize", json={"content": text, "parse_special": True}).json()["tokens"])
            for text in prompts
        ]
    scripts = [Script(lengths[0], (*words[:2], end)), Script(lengths[1], (*words, *words))]
    for target in (path, again):
        write_playback(header, target, scripts, 256)
    assert path.read_bytes() == again.read_bytes()
    with serving(engine_build, path, context=256) as server:
        first, second = (ask(server.client, body, timeout=20) for body in bodies)
    assert (first.content, first.finish_reason, first.tokens) == ("letterTool", "stop", 3)
    assert (second.content[:22], second.finish_reason) == ("letterToolletterletter", "length")
