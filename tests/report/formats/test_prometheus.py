from __future__ import annotations

import re
from dataclasses import replace

from pipeline.report.formats import prometheus
from tests.report import samples

# The exposition format: name{label="value",…} number
SAMPLE = re.compile(r'([a-z_]+)\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*)\} (NaN|[+-]Inf|-?[0-9.e+-]+)')


def read(text: str) -> dict[tuple[str, str], float]:
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert (match[1], match[2]) not in found
            found[match[1], match[2]] = float(match[3])
    return found


def test_decision_scores_and_speeds_are_gauges() -> None:
    for report, accepted in ((samples.accepted(), 1.0), (samples.rejected(), 0.0)):
        text = prometheus.render(report)
        found = read(text)
        assert [value for (name, _), value in found.items() if name == "assay_accepted"] == [accepted]
        speed = 'model="tiny-chat",layer="engine",test="tg32",metric="decode_tok_s",unit="tok/s"'
        assert found["assay_bench", speed] == 812.6
        assert not [labels for _, labels in found if "tg32+d512" in labels]
        assert found["assay_check_trials", 'model="tiny-chat",group="tool-calling"'] > 0
        names = {name for name, _ in found}
        assert {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")} == names


def test_what_is_not_judged_is_not_said_to_be_accepted() -> None:
    assert "assay_accepted" not in prometheus.render(samples.unjudged())


def test_hostile_labels_and_numbers_keep_the_format() -> None:
    report = samples.hostile()
    read(prometheus.render(report))
    (run,) = report.of_stage("eval")
    assert run.result.evaluation is not None
    metric = run.result.evaluation.metrics[0]
    odd = replace(run.result.evaluation, metrics=(replace(metric, value=float("nan")), metric, metric))
    changed = replace(run, result=replace(run.result, evaluation=odd))
    assert " NaN" in prometheus.render(replace(report, runs=(changed,)))
    read(prometheus.render(replace(report, runs=(changed, changed))))
