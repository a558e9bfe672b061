from __future__ import annotations

from dataclasses import replace

from pipeline.cli.stage import run_lines
from tests import factories as make


def test_a_noisy_figure_says_why() -> None:
    run = make.sound_runs(make.lock())[-1]
    row = replace(run.result.bench[0], detail={"noisy": True, "noise": make.NOISE})
    (line,) = run_lines(replace(run, result=replace(run.result, bench=(row,))))
    assert line.endswith(f"NOISY: {make.NOISE}")
