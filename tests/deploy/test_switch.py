from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.deploy.switch import Switch, clear_switch, pending, read_switch, too_much, write_switch
from pipeline.gguf.memory import Memory
from tests.deploy import orders

GIB = 1 << 30


def test_what_is_asked_for_stands_there_until_it_is_settled(tmp_path: Path) -> None:
    assert read_switch(tmp_path) is None and not pending(tmp_path)
    clear_switch(tmp_path)
    for one in (Switch("sha256:1"), Switch("sha256:2", "/opt/llama-server", beside=False)):
        write_switch(tmp_path, one)
        assert read_switch(tmp_path) == one and pending(tmp_path)
    clear_switch(tmp_path)
    assert read_switch(tmp_path) is None and not pending(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"[]", b"{}", b'{"entry": 1}', b'{"entry": "x", "beside": "no"}', b'{"entry": "x", "y": 1}'],
)
def test_what_is_no_request_is_none_and_still_there_to_be_cleared(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "switch.json").write_bytes(content)
    assert read_switch(tmp_path) is None and pending(tmp_path)


def test_two_models_fit_when_their_plans_do_together() -> None:
    new = orders.order()
    one, other = (replace(new, memory=Memory(GIB * size, 0)) for size in (1, 2))
    both = one.limit + other.limit
    for memory, fits in ((both, True), (both - 1, False), (None, True)):
        roomy = replace(one, host=replace(one.host, memory=memory))
        assert bool(too_much(roomy, other, None)) is not fits
    tight = replace(one, host=replace(one.host, memory=both - 1))
    sizes = [f"{size / GIB:.1f} GiB" for size in (one.limit, other.limit, both)]
    assert too_much(tight, other, None) == f"{sizes[0]} and {sizes[1]} at the same time, this machine has {sizes[2]}"


def test_on_gpus_it_is_their_memory_that_counts() -> None:
    on_gpu = orders.order(orders.lock(engine={"gpu_layers": 99}))
    small = replace(on_gpu, host=replace(on_gpu.host, memory=1))
    assert too_much(small, small, 2 * small.limit) == ""
    assert "the GPUs have" in too_much(small, small, 2 * small.limit - 1)
    assert too_much(small, small, None) == ""
    on_cpu = replace(orders.order(), host=small.host)
    assert too_much(small, on_cpu, 1) == "" == too_much(on_cpu, small, 1)
