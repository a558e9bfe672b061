from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pipeline.deploy.targets import _container, compose
from tests.deploy import orders
from tests.deploy.targets import containers


def written(**changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(compose.render(orders.order(**changes)).files["compose.yaml"])
    return content


def test_the_plan_is_the_golden_one() -> None:
    orders.is_golden(compose.render(orders.order()))


def test_an_image_wants_a_digest() -> None:
    containers.wants_a_digest(compose)


def test_the_start_hashes_first(tmp_path: Path) -> None:
    containers.starts_only_what_was_locked(tmp_path)


@pytest.mark.parametrize("of", [orders.lock(), orders.lock(engine={"gpu_layers": 99}), orders.split(3)])
def test_it_is_valid_by_the_compose_specifications_schema(of: Any) -> None:
    pytest.importorskip("check_jsonschema", reason="the schema comes with check-jsonschema")
    schema = json.loads((files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text())
    judge = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in judge.iter_errors(written(of=of))] == []
    broken = written(of=of)
    broken["services"]["tiny-chat"]["read_onli"] = True
    assert list(judge.iter_errors(broken))


def test_the_service_is_closed() -> None:
    content = written()
    (service,) = content["services"].values()
    assert service["image"] == orders.IMAGE and service["user"] == "65534:65534"
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"] and "privileged" not in service
    assert all(volume["read_only"] for volume in service["volumes"])
    assert [port["host_ip"] for port in service["ports"]] == ["127.0.0.1"]
    assert service["deploy"]["resources"]["limits"]["memory"] == str(orders.order().limit)


def test_compose_puts_nothing_into_the_command_line() -> None:
    (service,) = written()["services"].values()
    arguments = [part.replace("$$", "$") for part in service["command"]]
    assert all("$" not in part.replace("$$", "") for part in (*service["command"], *service["entrypoint"]))
    assert (_container.SERVER, *arguments) == compose.render(orders.order()).argv
