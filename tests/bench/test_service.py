"""The load test, against a scripted server and against the real one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.bench.level import Level
from pipeline.bench.load import Batch
from pipeline.bench.model import BenchRow
from pipeline.bench.readings import Reading
from pipeline.bench.service import saturation, service_rows
from pipeline.bench.stats import median, percentile
from pipeline.bench.stream import Timed
from pipeline.bench.validity import Conditions
from pipeline.bench.witness import Fared, Moment
from pipeline.core.progress import Task
from pipeline.spec.model import Bench, Slo
from tests.bench.sse import DONE, Script, event, served, usage
from tests.conftest import Serve

SPEEDS = ["ttft_ms", "ttft_p95_ms", "itl_ms", "itl_p95_ms", "itl_p99_ms", "decode_tok_s", "total_tok_s"]
METRICS = [*SPEEDS, "queue_ms", "requests_waiting", "failed_requests"]
SMALL = Bench(prefill=(16,), streams=(1, 2), requests=3, max_tokens=4, budget=0)
SHARED = 4  # requests with a shared prefix, the first of which fills the cache


def script(failing: tuple[int, ...] = ()) -> Script:
    first = event("a", timings={"prompt_ms": 30.0})
    steps = [(0.0, event()), (0.05, first), *[(0.02, event("b"))] * 3, (0.0, usage(4)), (0.0, DONE)]
    return Script(steps, failing=failing)


def by_metric(rows: tuple[BenchRow, ...], test: str) -> dict[str, BenchRow]:
    return {row.metric: row for row in rows if row.test == test}


class Counting:
    """Progress that counts, and may be interrupted."""

    def __init__(self, interrupt: bool = False) -> None:
        self.totals: list[int | None] = []
        self.done = 0
        self.interrupt = interrupt

    def advance(self, amount: int = 1) -> None:
        if self.interrupt:
            raise KeyboardInterrupt
        self.done += amount

    @contextmanager
    def task(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        self.totals.append(total)
        yield self

    def note(self, message: str) -> None:
        pass


def test_rows_and_their_figures() -> None:
    fake, progress = script(), Counting()
    with served(fake) as client:
        rows = service_rows(client, SMALL, model="m", chat=True, progress=progress)
    assert [(row.test, row.metric) for row in rows] == [
        *((f"streams={n}", name) for n in (1, 2) for name in METRICS),
        ("sweep", "saturation_streams"),
        ("shared-prefix", "shared_prefix_ttft_ms"),
    ]
    assert (progress.done, progress.totals) == (6, [6, None])
    one = by_metric(rows, "streams=1")
    assert one["ttft_ms"].value is not None
    assert 50 <= one["ttft_ms"].value < 500
    assert one["itl_ms"].value == median(one["itl_ms"].samples)
    assert one["itl_ms"].value == pytest.approx(20, rel=0.4)
    assert one["itl_p95_ms"].value == percentile(one["itl_ms"].samples, 95)
    assert len(one["decode_tok_s"].samples) == 3
    assert one["failed_requests"].value == 0
    assert one["ttft_ms"].detail["cached_tokens"] == 6
    assert one["ttft_p95_ms"].value == percentile(one["ttft_ms"].samples, 95)
    assert one["itl_p99_ms"].value == percentile(one["itl_ms"].samples, 99)
    assert one["queue_ms"].value == pytest.approx(one["ttft_ms"].value - 30)
    assert one["requests_waiting"].value is not None and 0 < one["requests_waiting"].value < 1
    for streams in (1, 2):
        total = by_metric(rows, f"streams={streams}")["total_tok_s"]
        (batch,) = total.detail["batches"]
        assert total.value is not None and total.value == pytest.approx(3 * 4 / batch["seconds"], rel=0.01)
        assert total.value < streams * 4 / 0.11  # a stream of 4 tokens takes 0.11 s


def test_what_is_asked_of_the_server() -> None:
    fake = script()
    with served(fake) as client:
        service_rows(client, SMALL, model="name", chat=True)
    assert len(fake.bodies) == 7 + SHARED  # the first warms up
    prompts = [body["messages"][0]["content"] for body in fake.bodies]
    assert len({prompt[:10] for prompt in prompts[:7]}) == 7
    assert {len(prompt.split()) for prompt in prompts[:7]} == {16}
    alike = prompts[7:]
    assert len(set(alike)) == SHARED and len({" ".join(prompt.split()[:16]) for prompt in alike}) == 1
    assert {body["cache_prompt"] for body in fake.bodies[7:]} == {True}
    for body in fake.bodies[:7]:
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
        assert hit[metric].value is None and not hit[metric].inconclusive
        assert hit[metric].reason == "1 of 3 requests failed: HTTP 503: busy"
        assert fine[metric].value is not None
    assert len(hit["ttft_ms"].samples) == 2


def test_a_server_that_always_fails() -> None:
    fake = script(failing=tuple(range(99)))
    with served(fake) as client:
        rows = service_rows(client, SMALL, model="m", chat=True)
    assert {row.value for row in rows if row.metric != "failed_requests"} == {None}
    assert all(row.value == 3 for row in rows if row.metric == "failed_requests")
    assert rows[-1].reason == "a request failed: HTTP 503: busy"


class Told:
    """Looks at nothing and tells what it was told: which batches were disturbed."""

    def __init__(self, *disturbed: bool) -> None:
        self.disturbed = list(disturbed)

    def now(self) -> Moment:
        return Reading(0.0), Reading(0.0)

    def since(self, moment: Moment) -> Fared:
        bad = self.disturbed.pop(0) if self.disturbed else False
        return Fared(Conditions(1.0, against=("one of its threads waited for a core",) if bad else ()), Conditions(1.0))


def test_a_disturbed_batch_gives_no_number_but_what_it_reached_even_so() -> None:
    with served(script()) as client:
        rows = service_rows(client, SMALL, model="m", chat=True, looker=Told(False, True, False))
    hit, fine = by_metric(rows, "streams=1"), by_metric(rows, "streams=2")
    assert all(row.value is not None for row in fine.values())
    for metric in METRICS[:-1]:
        assert hit[metric].value is None and hit[metric].inconclusive
        assert hit[metric].reason == (
            "inconclusive: none of 1 batches counts (the server: one of its threads waited for a core)"
        )
    assert hit["decode_tok_s"].detail["slowest"] == min(hit["decode_tok_s"].samples)
    assert hit["failed_requests"].value == 0
    assert by_metric(rows, "sweep")["saturation_streams"].inconclusive


def test_disturbed_batches_are_done_again_within_the_budget_and_left_out() -> None:
    bench = Bench(prefill=(16,), streams=(1,), requests=2, max_tokens=4, budget=60)
    with served(script()) as client:
        rows = service_rows(client, bench, model="m", chat=True, looker=Told(False, True))
    one = by_metric(rows, "streams=1")
    assert len(one["total_tok_s"].samples) == 3
    assert one["total_tok_s"].low is not None and one["total_tok_s"].high is not None
    assert one["total_tok_s"].low <= one["total_tok_s"].value <= one["total_tok_s"].high  # type: ignore[operator]
    assert one["ttft_ms"].detail["noise"].endswith("1 of 4 batches were left out")
    assert len(one["ttft_ms"].detail["batches"]) == 4


def test_that_server_and_client_waited_for_one_another_is_said_beside_the_figure() -> None:
    one = level(1, 100)
    rows = {}
    for waited in (0.05, 0.15):
        one.batches = [
            replace(one.batches[0], fared=Fared(Conditions(1.0, waited=0.01), Conditions(1.0, waited=waited)))
        ]
        rows[waited] = next(row for row in one.rows() if row.metric == "total_tok_s")
    assert [row.value for row in rows.values()] == [100.0, 100.0]
    assert [row.detail["noise"] for row in rows.values()] == [
        "",
        "there are too few cores: server or client waited 15% of the time, and not for others",
    ]


def test_goodput_counts_the_requests_that_meet_the_objectives() -> None:
    bench = Bench(prefill=(16,), streams=(1, 2), requests=2, max_tokens=4, budget=0)
    for slo, share in ((Slo(ttft_ms=5000, itl_ms=5000), 1.0), (Slo(ttft_ms=10), 0.0), (Slo(itl_ms=1), 0.0)):
        with served(script()) as client:
            rows = service_rows(client, bench.model_copy(update={"slo": slo}), model="m", chat=True)
        one = by_metric(rows, "streams=1")
        assert one["slo_share"].value == share
        assert (one["goodput_req_s"].value or 0) * 4 == pytest.approx((one["total_tok_s"].value or 0) * share)


def test_a_sweep_doubles_the_streams_until_that_gains_nothing() -> None:
    fake = script()
    fake.at_once = 4
    with served(fake) as client:
        rows = service_rows(
            client, SMALL.model_copy(update={"sweep": True, "streams": (2,), "requests": 8}), model="m", chat=True
        )
    row = by_metric(rows, "sweep")["saturation_streams"]
    tried = list(row.detail["tok_s"])
    assert tried[:3] == [2, 4, 8] and row.value in tried[1:-1]
    waiting = by_metric(rows, "streams=8")["requests_waiting"].value
    assert waiting is not None and waiting > 2


def level(streams: int, rate: float) -> Level:
    """Return a level with one batch of ``rate`` tokens in a second."""
    done = Timed(0.0, 1.0, (0.5, 1.0), (), int(rate))
    return Level(streams, 1, 1, batches=[Batch((done,), 1.0, Fared())])


def test_the_median_of_batches_lies_in_its_interval() -> None:
    one = level(1, 100)
    for rates in ([100, 100, 150], [100] * 7 + [150] * 5):
        one.batches = [batch for rate in rates for batch in level(1, rate).batches]
        total = next(row for row in one.rows() if row.metric == "total_tok_s")
        assert total.value == 100 and total.low is not None and total.high is not None
        assert total.low <= 100 <= total.high


def test_saturated_is_the_first_number_of_streams_that_no_other_outdoes() -> None:
    assert saturation([level(1, 100), level(2, 180), level(4, 188), level(8, 150)]).value == 2
    assert saturation([level(1, 100), level(2, 101), level(4, 120), level(8, 125)]).value == 4
    assert saturation([level(4, 100), level(1, 100)]).value == 1
    assert saturation([level(1, 100), level(2, 180)]).value is None


def test_what_is_not_saturated_is_said() -> None:
    with served(script()) as client:
        *_, still, _ = service_rows(client, SMALL.model_copy(update={"requests": 4}), model="m", chat=True)
        *_, alone, _ = service_rows(client, SMALL.model_copy(update={"streams": (1,)}), model="m", chat=True)
    assert still.reason == "throughput still grew at 2 streams, the most that were tried"
    assert alone.reason.startswith("one number of streams does not tell")


def test_ctrl_c_is_not_held_up_by_streams_in_flight() -> None:
    fake = Script([(0, event("a")), *[(0.05, event("b"))] * 20, (0, usage(21)), (0, DONE)])
    with served(fake) as client, pytest.raises(KeyboardInterrupt):
        service_rows(client, SMALL, model="m", chat=True, progress=Counting(interrupt=True))
    assert len(fake.bodies) < 7


@pytest.mark.parametrize("chat", [True, False])
def test_the_real_server(serve: Serve, tiny_chat: Path, chat: bool) -> None:
    bench = Bench(prefill=(48,), streams=(1, 2), requests=3, max_tokens=12, budget=0)
    *rows, _, shared = service_rows(serve(tiny_chat), bench, model="model", chat=chat)
    assert shared.detail["cached_tokens"] >= 30 and shared.value is not None
    for row in rows:
        assert row.reason == ""
        assert row.detail["ended_early"] == 0
        assert row.detail["cached_tokens"] == 0
        assert 30 <= row.detail["prompt_tokens"] <= 70
    one = by_metric(tuple(rows), "streams=1")
    assert one["failed_requests"].value == 0
    assert one["decode_tok_s"].value is not None
    assert one["itl_ms"].value is not None
    # A median gap and a median rate are two views of one thing; far apart, one of them would be wrong.
    assert 0.2 < one["decode_tok_s"].value * one["itl_ms"].value / 1000 < 5
