"""The whole bench stage, on the embedded model."""

from __future__ import annotations

from pipeline.core.project import Project
from pipeline.flow.session import Session
from pipeline.flow.stages import recorded


def test_every_layer_is_there_and_says_why_where_it_has_no_number(assayed: Project) -> None:
    session = Session(assayed)
    (run,) = [run for run in recorded(session, session.current("small")) if run.key.stage == "bench"]
    rows = {(row.layer, row.test, row.metric): row for row in run.result.bench}
    for key in (
        ("engine", "tg4", "decode_tok_s"),
        ("machine", "threads=1", "memory_bandwidth"),
        ("service", "streams=1", "itl_p99_ms"),
        ("service", "streams=1", "service_share_of_engine"),
        ("service", "sweep", "saturation_streams"),
        ("service", "shared-prefix", "shared_prefix_ttft_ms"),
        ("service", "cold", "load_seconds"),
        ("service", "warm", "load_seconds"),
    ):
        assert rows[key].value is not None or rows[key].reason, key
    assert all(row.value is not None for row in run.result.bench if row.test == "process")
    conditions = rows["service", "streams=1", "ttft_ms"].detail["batches"]
    assert set(conditions[0]) == {"seconds", "server", "client"}
    assert conditions[0]["server"]["waited"] is not None
