"""The search, on functions that say what each setting is worth."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.bench.tune import BETTER, GOALS, NO_BETTER, REFUSED, UNKNOWN, Machine, Side, descend, moves, parted
from pipeline.core.errors import EngineError
from pipeline.spec.model import Engine

LATENCY, THROUGHPUT, MEMORY = GOALS["latency"], GOALS["throughput"], GOALS["memory"]
Cost = Callable[[Engine], float]


def near(value: float, by: float = 0.001) -> tuple[float, ...]:
    return (value * (1 - by), value, value * (1 + by))


def measured(cost: Cost) -> Callable[[Engine, Engine], tuple[tuple[float, ...], tuple[float, ...]]]:
    return lambda present, changed: (near(cost(present)), near(cost(changed)))


def allowed(engine: Engine) -> tuple[bool, str]:
    return True, "the same"


def test_intervals_must_part_by_more_than_two_per_cent() -> None:
    one = Side(near(100.0))
    assert parted(one, Side(near(97.0)), LATENCY)[0] == BETTER
    assert parted(one, Side(near(98.5)), LATENCY)[0] == NO_BETTER
    assert parted(one, Side(near(90.0, by=0.1)), LATENCY)[0] == NO_BETTER
    assert parted(one, Side(near(103.0)), THROUGHPUT)[0] == BETTER
    assert parted(one, Side(near(103.0)), LATENCY)[0] == NO_BETTER
    verdict, why = parted(one, Side((50.0, 50.0)), LATENCY)
    assert verdict == UNKNOWN and "only 2 repetitions" in why


def test_the_search_finds_the_valley_and_goes_on_from_there() -> None:
    def cost(engine: Engine) -> float:
        return (
            10.0 + abs((engine.threads or 8) - 4) + (engine.micro_batch == 512) + 2 * (engine.flash_attention == "off")
        )

    tuned = descend(Engine(), LATENCY, Machine(8), measured(cost), allowed)
    assert tuned.changes == {"threads": 4, "micro_batch": 128, "flash_attention": "on"}
    assert tuned.complete
    keys = [tuple(trial.change.items()) for trial in tuned.trials]
    assert len(keys) > len(tuned.changes)
    assert {trial.verdict for trial in tuned.trials} == {BETTER, NO_BETTER}


def test_what_changes_outputs_is_left_out_however_fast_it_is() -> None:
    asked: list[Engine] = []

    def guard(engine: Engine) -> tuple[bool, str]:
        asked.append(engine)
        return engine.cache_type_k == "f16", "KL 0.5"

    def cost(engine: Engine) -> float:
        return 10.0 - 3 * (engine.cache_type_k == "q8_0") - (engine.flash_attention == "on")

    tuned = descend(Engine(), LATENCY, Machine(1), measured(cost), guard)
    assert tuned.changes == {"flash_attention": "on"}
    (left,) = [trial for trial in tuned.trials if trial.verdict == REFUSED]
    assert left.change["cache_type_k"] == "q8_0" and left.why == "outputs change: KL 0.5"
    assert {engine.flash_attention for engine in asked} == {"on"}, (
        "only what was better and may change outputs is asked"
    )


def test_what_does_not_run_is_left_out() -> None:
    def measure(present: Engine, changed: Engine) -> tuple[tuple[float, ...], tuple[float, ...]]:
        if changed.gpu_layers:
            raise EngineError("out of memory\nlog", hint="")
        return near(1.0), near(1.0)

    tuned = descend(Engine(), LATENCY, Machine(1, gpu_layers=13), measure, allowed)
    assert tuned.changes == {}
    assert [trial.why for trial in tuned.trials[:2]] == ["the engine does not run so: out of memory"] * 2


def test_a_search_ends_with_its_time() -> None:
    left = [False, False, True]
    tuned = descend(Engine(), LATENCY, Machine(4), measured(lambda _: 1.0), allowed, expired=lambda: left.pop(0))
    assert len(tuned.trials) == 2 and not tuned.complete


@pytest.mark.parametrize("goal", GOALS.values(), ids=list(GOALS))
def test_moves_are_settings_that_the_goal_may_gain_from(goal: object) -> None:
    assert goal in (LATENCY, THROUGHPUT, MEMORY)
    keys = {key for change in moves(Engine(slots=4), goal, Machine(4)) for key in change}
    assert {"flash_attention", "cache_type_k", "cache_type_v", "batch", "micro_batch"} <= keys
    assert ("threads" in keys) == (goal is not MEMORY)
    assert ("slots" in keys) == (goal is THROUGHPUT)
    assert "gpu_layers" not in keys
    assert {"gpu_layers"} <= {key for change in moves(Engine(), goal, Machine(4, 13)) for key in change}
