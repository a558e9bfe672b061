from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UsageError
from pipeline.deploy.plan import label, require_fits
from pipeline.deploy.targets._base import target_of, targets
from pipeline.spec.parts import NAME
from tests.deploy import orders


def test_what_does_not_fit_is_refused_with_the_arithmetic() -> None:
    order = orders.order()
    require_fits(order)
    require_fits(replace(order, host=replace(order.host, memory=None)))
    with pytest.raises(UsageError, match=r"weights 4 MiB \+ KV cache 1 MiB, .* make 134 MiB; this machine has 100 MiB"):
        require_fits(replace(order, host=replace(order.host, memory=100 << 20)))
    with pytest.raises(UsageError, match="make 134 MiB; it may take 133 MiB"):
        require_fits(order, 133 << 20)
    require_fits(order, 134 << 20)


@given(st.lists(st.from_regex(NAME, fullmatch=True).map(str.strip), min_size=2, max_size=20, unique=True))
def test_labels_are_dns_names_and_differ_where_names_do(names: list[str]) -> None:
    labels = [label(name) for name in names]
    assert all(re.fullmatch("[a-z0-9]([a-z0-9-]{0,49}[a-z0-9])?", one) for one in labels)
    assert len(set(labels)) == len(names)


def test_every_target_gives_the_same_plan_for_the_same_order() -> None:
    assert set(targets()) == {"local", "systemd", "quadlet", "compose", "kube"}
    for target in targets().values():
        assert target.render(orders.order()) == target.render(orders.order())


def test_an_unknown_target_is_told_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="no target 'nomad'") as error:
        target_of("nomad")
    assert "compose, kube, local, quadlet, systemd" in error.value.hint


def test_no_secret_is_in_any_plan() -> None:
    for target in targets().values():
        plan = target.render(orders.order())
        assert "--api-key " not in " ".join(plan.argv)
        assert not any("assay-" in text and "Bearer" in text for text in plan.files.values())
