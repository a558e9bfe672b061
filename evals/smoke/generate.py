"""Write items.jsonl: three items of each skill of the suite ``general``, the shortest questions first.

    python evals/smoke/generate.py

Run it after ``python evals/general/generate.py``, whose data it takes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
EACH = 3


def items() -> list[dict[str, Any]]:
    """Return the items, skill after skill."""
    rows = [json.loads(line) for line in (HERE.parent / "general" / "items.jsonl").read_text().splitlines()]
    skills = list(dict.fromkeys(row["skill"] for row in rows))
    chosen = []
    for skill in skills:
        ours = sorted((row for row in rows if row["skill"] == skill), key=lambda row: (len(row["question"]), row["id"]))
        chosen += ours[:EACH]
    return chosen


if __name__ == "__main__":
    (HERE / "items.jsonl").write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in items()))
