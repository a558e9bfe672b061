"""The record as pandas frames, for notebooks and scripts: ``from pipeline.record import Record``."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.project import Project
from pipeline.record.access import reading
from pipeline.record.history import Value, history
from pipeline.record.read import query

if TYPE_CHECKING:
    import pandas as pd

_RUN = (
    "runs.id AS run, runs.model, runs.stage, runs.subject AS suite, runs.started, runs.lock_digest, "
    "runs.engine_digest, runs.hardware_digest"
)


class Record:
    """The record of a project, or any results database. Each method answers with a frame, a row a result, the oldest first;
    each row names run, model and digests that it belongs to. Names narrow it down: a model's, a suite's.
    """

    def __init__(self, database: Path | str) -> None:
        self.database = Path(database)

    @classmethod
    def of(cls, folder: Path | str = ".") -> Record:
        """Return the record of the project that a folder lies in. Raises UsageError where there is none."""
        return cls(Project.find(Path(folder)).database)

    def runs(self, model: str | None = None) -> pd.DataFrame:
        """Return the runs: when, how long, with which digests."""
        columns = "runs.seconds, runs.assay_version, runs.outputs_digest"
        return self._ask(f"SELECT {_RUN}, {columns} FROM runs WHERE $1 IS NULL OR model = $1 ORDER BY number", model)

    def metrics(self, model: str | None = None, suite: str | None = None) -> pd.DataFrame:
        """Return the metrics of evals, with their 95 % intervals."""
        return self._rows("metrics", "name AS metric, value, low, high, unit, n", model, suite)

    def items(self, model: str | None = None, suite: str | None = None) -> pd.DataFrame:
        """Return the items of evals: score, and all that was asked and answered as JSON text."""
        return self._rows("eval_items", "item, score, detail", model, suite)

    def outcomes(self, model: str | None = None, suite: str | None = None) -> pd.DataFrame:
        """Return the outcomes of checks."""
        columns = (
            'group_name AS "group", case_name AS "case", verdict, grade, attempt, sampled, diagnosis, outcomes.seconds'
        )
        return self._rows("outcomes", columns, model, suite)

    def findings(self, model: str | None = None) -> pd.DataFrame:
        """Return the findings of lint."""
        return self._rows("findings", "code, severity, message, place, fix", model, None)

    def bench(self, model: str | None = None) -> pd.DataFrame:
        """Return what was measured: median, interval and samples; without a value, the reason."""
        columns = "layer, test, metric, value, low, high, unit, samples, inconclusive, reason, detail"
        return self._rows("bench_rows", columns, model, None)

    def decisions(self, model: str | None = None) -> pd.DataFrame:
        """Return the decisions of the gate."""
        columns = "id, model, accepted, decided, lock_digest, engine_digest, hardware_digest, reasons, run_ids"
        return self._ask(f"SELECT {columns} FROM decisions WHERE $1 IS NULL OR model = $1 ORDER BY number", model)

    def history(self, model: str, metric: str, hardware: str | None = None) -> pd.DataFrame:
        """Return a metric over runs, the oldest first: ``SUITE.METRIC``, or ``bench.METRIC@TEST`` (``bench.METRIC``: every
        test). ``hardware``: only of this digest. ``level`` counts up where the values of a test changed for good
        (``changes``).
        """
        import pandas as pd

        names = [field.name for field in fields(Value)]
        rows = [[getattr(one, name) for name in names] for one in history(self.database, model, metric, hardware)]
        return pd.DataFrame(rows, columns=names).astype(dict.fromkeys(("value", "low", "high"), float))

    def sql(self, text: str) -> pd.DataFrame:
        """Answer SQL, reading alone. Raises UsageError with DuckDB's message when it is wrong or would write."""
        return query(self.database, text)

    def _rows(self, table: str, columns: str, model: str | None, suite: str | None) -> pd.DataFrame:
        sql = (
            f"SELECT {_RUN}, {columns} FROM {table} JOIN runs ON runs.id = {table}.run_id "
            f"WHERE ($1 IS NULL OR model = $1) AND ($2 IS NULL OR subject = $2) ORDER BY number, position"
        )
        return self._ask(sql, model, suite)

    def _ask(self, sql: str, *values: str | None) -> pd.DataFrame:
        with reading(self.database) as connection:
            frame: pd.DataFrame = connection.execute(sql, list(values)).df()
        for column in ("started", "decided"):
            if column in frame:
                frame[column] = frame[column].dt.tz_localize(UTC)
        return frame
