"""The load test, against a scripted server and against the real one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.bench.model import BenchRow
from pipeline.bench.service import resource_rows, service_rows
from pipeline.bench.stats import median, percentile
from pipeline.core.progress import Task
from pipeline.spec.model import Bench
from tests.bench.sse import DONE, Script, event, served, usage
from tests.conftest import Serve

METRICS = ["ttft_ms", "itl_ms", "decode_tok_s", "total_tok_s", "itl_p95_ms", "failed_requests"]
SMALL = Bench(prefill=(16,), streams=(1, 2), requests=3, max_tokens=4)


def script(failing: tuple[int, ...] = ()) -> Script:
    steps = [(0.0, event()), (0.05, event("a")), *[(0.02, event("b"))] * 3, (0.0, usage(4)), (0.0, DONE)]
    return Script(steps, failing=failing)


def by_metric(rows: tuple[BenchRow, ...], test: str) -> dict[str, BenchRow]:
    return {row.metric: row for row in rows if row.test == test}


class Counting:
    """Progress that counts, and may be interrupted."""

    def __init__(self, interrupt: bool = False) -> None:
        self.total: int | None = 0
        self.done = 0
        self.interrupt = interrupt

    def advance(self, amount: int = 1) -> None:
        if self.interrupt:
            raise KeyboardInterrupt
        self.done += amount

    @contextmanager
    def task(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        self.total = total
        yield self

    def note(self, message: str) -> None:
        pass


def test_rows_and_their_figures() -> None:
    fake, progress = script(), Counting()
    with served(fake) as client:
        rows = service_rows(client, SMALL, model="m", chat=True, progress=progress)
    assert [(row.test, row.metric) for row in rows] == [(f"streams={n}", name) for n in (1, 2) for name in METRICS]
    assert (progress.done, progress.total) == (6, 6)
    one = by_metric(rows, "streams=1")
    assert one["ttft_ms"].value is not None
    assert 50 <= one["ttft_ms"].value < 500
    assert one["itl_ms"].value == median(one["itl_ms"].samples)
    assert one["itl_ms"].value == pytest.approx(20, rel=0.4)
    assert one["itl_p95_ms"].value == percentile(one["itl_ms"].samples, 95)
    assert len(one["decode_tok_s"].samples) == 3
    assert one["failed_requests"].value == 0
    assert one["ttft_ms"].detail["cached_tokens"] == 6
    one_by_one, two_at_once = (by_metric(rows, f"streams={n}")["total_tok_s"].value for n in (1, 2))
    assert one_by_one is not None
    assert two_at_once is not None
    assert one_by_one < 4 / 0.11  # one stream of 4 tokens takes 0.11 s
    assert two_at_once > one_by_one


def test_what_is_asked_of_the_server() -> None:
    fake = script()
    with served(fake) as client:
        service_rows(client, SMALL, model="name", chat=True)
    assert len(fake.bodies) == 7  # the first warms up
    prompts = [body["messages"][0]["content"] for body in fake.bodies]
    assert len({prompt[:10] for prompt in prompts}) == 7
    assert {len(prompt.split()) for prompt in prompts} == {16}
    for body in fake.bodies:
        assert (body["model"], body["max_tokens"], body["ignore_eos"], body["cache_prompt"]) == ("name", 4, True, False)
    assert set(fake.paths) == {"/v1/chat/completions"}
    assert fake.most_in_flight == 2


def test_a_model_without_a_template_gets_plain_completions() -> None:
    fake = script()
    with served(fake) as client:
        service_rows(client, SMALL, model="m", chat=False)
    assert set(fake.paths) == {"/v1/completions"}
    assert all(isinstance(body["prompt"], str) for body in fake.bodies)


def test_more_streams_than_requests_are_all_used() -> None:
    fake = script()
    with served(fake) as client:
        service_rows(client, Bench(prefill=(16,), streams=(5,), requests=1, max_tokens=4), model="m", chat=True)
    assert fake.most_in_flight == 5


def test_a_failure_is_counted_and_leaves_no_figure_to_pass_a_gate() -> None:
    fake = script(failing=(2,))
    with served(fake) as client:
        rows = service_rows(client, SMALL, model="m", chat=True)
    hit, fine = by_metric(rows, "streams=1"), by_metric(rows, "streams=2")
    assert hit["failed_requests"].value == 1
    for metric in METRICS[:-1]:
        assert hit[metric].value is None
        assert hit[metric].reason == "1 of 3 requests failed: HTTP 503: busy"
        assert fine[metric].value is not None
    assert len(hit["ttft_ms"].samples) == 2


def test_a_server_that_always_fails() -> None:
    fake = script(failing=tuple(range(99)))
    with served(fake) as client:
        rows = service_rows(client, SMALL, model="m", chat=True)
    assert {row.value for row in rows if row.metric != "failed_requests"} == {None}
    assert all(row.value == 3 for row in rows if row.metric == "failed_requests")


def test_ctrl_c_is_not_held_up_by_streams_in_flight() -> None:
    fake = Script([(0, event("a")), *[(0.05, event("b"))] * 20, (0, usage(21)), (0, DONE)])
    with served(fake) as client, pytest.raises(KeyboardInterrupt):
        service_rows(client, SMALL, model="m", chat=True, progress=Counting(interrupt=True))
    assert len(fake.bodies) < 7


def test_what_the_process_took() -> None:
    load, memory = resource_rows(0.25, 300 << 20)
    assert (load.metric, load.value, load.unit) == ("load_seconds", 0.25, "s")
    assert (memory.metric, memory.value, memory.unit) == ("peak_memory_bytes", 300 << 20, "bytes")
    _, unknown = resource_rows(0.25, None)
    assert (unknown.value, unknown.reason) == (None, "the system does not say")


@pytest.mark.parametrize("chat", [True, False])
def test_the_real_server(serve: Serve, tiny_chat: Path, chat: bool) -> None:
    bench = Bench(prefill=(48,), streams=(1, 2), requests=3, max_tokens=12)
    rows = service_rows(serve(tiny_chat), bench, model="model", chat=chat)
    for row in rows:
        assert row.reason == ""
        assert row.detail["ended_early"] == 0
        assert row.detail["cached_tokens"] == 0
        assert 30 <= row.detail["prompt_tokens"] <= 70
    one = by_metric(rows, "streams=1")
    assert one["failed_requests"].value == 0
    assert one["decode_tok_s"].value is not None
    assert one["itl_ms"].value is not None
    # A median gap and a median rate are two views of one thing; far apart, one of them would be wrong.
    assert 0.2 < one["decode_tok_s"].value * one["itl_ms"].value / 1000 < 5
