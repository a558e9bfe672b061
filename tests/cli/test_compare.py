"""Comparing, repeating and handing out results, by the command line alone."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from pipeline.core.project import Project
from pipeline.record.access import writing
from tests.cli.conftest import Ask


@pytest.fixture
def ask(ask: Ask, tested: Project, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Run a command line in a project whose checks and evals are on record."""
    monkeypatch.chdir(tested.root)
    return ask


def runs_of(ask: Ask, stage: str) -> list[str]:
    sql = f"SELECT id FROM runs WHERE stage = '{stage}' ORDER BY number"
    return [row["id"] for row in json.loads(ask("query", sql, "--json")[1])["rows"]]


def copy_run(project: Project, new: str, score: int | None = None, **changes: str) -> None:
    """Put a copy of the eval run on record, all its items with one score."""
    with writing(project.database) as connection:
        (old,) = connection.execute("SELECT id FROM runs WHERE stage = 'eval'").fetchone() or ("",)
        for table, key in (("runs", "id"), ("eval_items", "run_id"), ("metrics", "run_id")):
            connection.execute(
                f"INSERT INTO {table} SELECT * REPLACE ('{new}' AS {key}) FROM {table} WHERE {key} = '{old}'"
            )
        for column, value in changes.items():
            connection.execute(f"UPDATE runs SET {column} = ? WHERE id = ?", (value, new))
        if score is not None:
            connection.execute("UPDATE eval_items SET score = ? WHERE run_id = ?", (score, new))
            for number in range(8):  # so that there are enough items to show something
                connection.execute(
                    "INSERT INTO eval_items SELECT run_id, position + 10, item || ?, score, detail FROM eval_items"
                    " WHERE run_id = ? AND position = 0",
                    (f"-{number}", new),
                )


GOOD, BAD, ELSEWHERE = "20260101T000000-0000000a", "20260101T000000-0000000b", "20260101T000000-0000000c"


def test_worse_is_exit_1_better_0_and_incomparable_2(ask: Ask, tested: Project) -> None:
    copy_run(tested, GOOD, 1)
    copy_run(tested, BAD, 0)
    copy_run(tested, ELSEWHERE, 0, hardware_digest="sha256:elsewhere")
    code, out, _ = ask("compare", GOOD, BAD)
    assert code == 1
    assert f"small ({GOOD}) -> small ({BAD}): worse" in out
    assert "pass -> fail: 12: " in out
    assert ask("compare", BAD, GOOD)[0] == 0
    assert "no difference shown" in ask("compare", GOOD, GOOD)[1]

    code, out, err = ask("compare", GOOD, ELSEWHERE)
    assert code == 2
    assert "incomparable" in out and "not the same hardware" in out and "--anyway" in err
    code, out, _ = ask("compare", GOOD, ELSEWHERE, "--anyway")
    assert code == 1
    assert "compared anyway, though not the same: hardware" in out


def test_the_json_of_a_comparison_is_stable(ask: Ask, tested: Project) -> None:
    copy_run(tested, GOOD, 1)
    copy_run(tested, BAD, 0)
    content: dict[str, Any] = json.loads(ask("compare", GOOD, BAD, "--json")[1])
    assert set(content) == {
        *("schema", "a", "b", "lock_a", "lock_b", "verdict", "tasks", "only_a", "only_b", "anyway"),
    }
    (task,) = content["tasks"]
    assert set(task) == {
        *("stage", "name", "kind", "verdict", "run_a", "run_b", "metric", "unit", "higher_is_better", "obstacles"),
        *("n", "a", "b", "difference", "low", "high", "interval", "test", "p", "p_holm", "least", "ties"),
        *("broken", "mended", "unknown", "alone"),
    }
    assert (task["verdict"], task["n"], task["difference"]) == ("worse", 12, -1.0)
    assert task["p"] == 2 / 2**12
    assert len(task["broken"]) == 12 and set(task["broken"][0]) == {"id", "unstable"}


def test_reproduce_says_the_same_or_what_differs(ask: Ask, tested: Project) -> None:
    (id,) = runs_of(ask, "eval")
    code, out, _ = ask("reproduce", id)
    assert code == 0
    assert "small eval few: the same, bit for bit (4 compared, outputs sha256:" in out

    with writing(tested.database) as connection:
        connection.execute("UPDATE eval_items SET score = 1 - score WHERE item = 'Spain'")
    code, out, _ = ask("reproduce", id)
    assert code == 1
    assert "differs in 1 place, 1 judged otherwise" in out and "item     Spain: " in out and "FLIPPED" in out
    content = json.loads(ask("reproduce", id, "--json")[1])
    assert not content["same"]
    assert content["outputs_before"] == content["outputs_after"]  # it was the record that moved
    assert [one["id"] for one in content["differences"]] == ["Spain"]


def test_reproduce_refuses_with_the_code_of_what_is_missing(ask: Ask, tested: Project) -> None:
    (id,) = runs_of(ask, "eval")
    assert ask("reproduce", "20260101T000000-00000000")[0] == 2
    blob = next(path for path in (tested.store / "blobs").rglob("*") if path.is_file() and not path.suffix)
    blob.unlink()
    code, out, err = ask("reproduce", id)
    assert (code, out) == (5, "")
    assert "the store does not have what the run was made of" in err


def test_results_are_written_in_the_format_of_the_name(ask: Ask, tested: Project) -> None:
    code, out, _ = ask("results", "small", "-o", "out/items.jsonl")
    assert (code, out) == (0, "out/items.jsonl\n")
    lines = (tested.root / "out" / "items.jsonl").read_text().splitlines()
    assert [json.loads(line)["suite"] for line in lines] == ["greeting", *["few"] * 4]
    code, _, err = ask("results", "small", "-o", "items.json")
    assert code == 2 and "holds one run" in err and "--suite" in err
    (id,) = runs_of(ask, "eval")
    assert ask("results", id, "-o", "items.json")[0] == 0
    assert json.loads((tested.root / "items.json").read_text())["eval"]["run_id"] == id
    assert ask("results", "small", "-o", "logs/")[0] == 0
    logs = sorted(path.name for path in (tested.root / "logs").iterdir())
    assert len(logs) == 2 and all(
        re.match(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\+00-00_(few|greeting)_", name) for name in logs
    )
    assert ask("results", "small", "--suite", "few", "-o", "logs")[1].count(".json") == 1
    code, _, err = ask("results", "small", "--suite", "few,greetings", "-o", "some.csv")
    assert code == 2 and "no run of greetings is on record" in err and "few, greeting" in err
    assert ask("results", "small", "--suite", "few,greeting", "-o", "some.csv")[0] == 0
    assert (tested.root / "some.csv").read_text().count(",small,") > 2
    code, _, err = ask("results", "small", "--suite", "other", "-o", "x.parquet")
    assert code == 2 and "there is: few, greeting" in err
    assert ask("results", "small", "-o", "x.xlsx")[0] == 2
