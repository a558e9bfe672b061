from __future__ import annotations

from dataclasses import replace

from pipeline.deploy.targets import local
from tests.deploy import orders


def test_the_plan_is_the_golden_one_and_writes_nothing() -> None:
    plan = local.render(orders.order())
    orders.is_golden(plan)
    assert plan.files == {} and plan.argv[0] == "/opt/llama/bin/llama-server"


def test_the_engine_is_behind_the_front_door() -> None:
    plan = local.render(replace(orders.order(), port=9000))
    assert plan.argv[plan.argv.index("--host") + 1] == "llama.sock" and "--port" not in plan.argv
    assert any("front door on 127.0.0.1, port 9000" in step for step in plan.steps)
