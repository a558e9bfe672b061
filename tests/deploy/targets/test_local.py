from __future__ import annotations

from dataclasses import replace

from pipeline.deploy.targets import local
from tests.deploy import orders


def test_the_plan_is_the_golden_one_and_writes_nothing() -> None:
    plan = local.render(orders.order())
    orders.is_golden(plan)
    assert plan.files == {} and plan.argv[0] == "/opt/llama/bin/llama-server"


def test_where_it_listens_is_on_the_command_line() -> None:
    argv = local.render(replace(orders.order(), port=9000)).argv
    assert argv[argv.index("--port") + 1] == "9000" and argv[argv.index("--host") + 1] == "127.0.0.1"
    assert argv[argv.index("--api-key-file") + 1] == "/srv/assay/.assay/serve/tiny-chat/key"
