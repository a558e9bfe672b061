"""Fifty items of BFCL's own files, as tiny-chat answered them: each verdict against one written down by a reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.evals.kinds.tool_use import EXAMPLE, Config, judge, load
from pipeline.runtime.answer import Answer, Call, Trouble

FOLDER = Path(__file__).parent / "bfcl"
CONFIG = Config.model_validate({**EXAMPLE, "data": "questions.json", "answers": "answers.json"})
ROWS = {row.id: row for row in load(CONFIG, FOLDER)}
RECORDED = {line["id"]: line for line in map(json.loads, (FOLDER / "recorded.jsonl").read_text().splitlines())}
# What a reader says of each answer, and what the reason must speak of.
EXPECTED = {
    "simple_python_21": ("right", ""),
    "simple_python_29": ("right", ""),
    "simple_python_9": ("right", ""),
    "simple_python_166": ("wrong", "city is"),
    "multiple_189": ("wrong", "no JSON object"),
    "simple_python_88": ("wrong", "is 1, accepted"),
    "simple_python_205": ("wrong", "start_location is"),
    "simple_python_383": ("wrong", "hotel_name is"),
    "simple_python_52": ("wrong", "temp is 2989"),
    "simple_python_61": ("wrong", "is 4007"),
    "multiple_77": ("wrong", "wanted artwork_search_find, got park_search_find"),
    "simple_python_304": ("wrong", "player_name is"),
    "simple_python_69": ("wrong", "location is"),
    "simple_python_190": ("wrong", "no JSON object"),
    "simple_python_370": ("wrong", 'location is "olive oil"'),
    "simple_python_57": ("wrong", "optical_density is 50"),
    "simple_python_290": ("wrong", "no JSON object"),
    "simple_python_124": ("wrong", "dataset_A is"),
    "simple_python_37": ("wrong", "no JSON object"),
    "simple_python_65": ("wrong", "no JSON object"),
    "simple_python_221": ("wrong", "no JSON object"),
    "simple_python_211": ("wrong", "to is"),
    "simple_python_59": ("wrong", "compound is"),
    "simple_python_129": ("wrong", "coupon_payment is"),
    "multiple_78": ("wrong", "museum is"),
    "simple_python_334": ("wrong", "no JSON object"),
    "simple_python_214": ("wrong", 'location is "York"'),
    "multiple_105": ("wrong", "wanted calculate_magnetic_field, got lawsuit_details_find"),
    "simple_python_357": ("wrong", "dish_name is"),
    "simple_python_75": ("wrong", "current_population is 54000"),
    "simple_python_126": ("wrong", "no JSON object"),
    "simple_python_377": ("wrong", "city is"),
    "multiple_36": ("wrong", "distance is 200"),
    "multiple_108": ("wrong", "wanted calc_heat_capacity, got calculate_discounted_cash_flow"),
    "simple_python_42": ("wrong", "1 call wanted, 2 calls came"),
    "multiple_126": ("wrong", "1 call wanted, 3 calls came"),
    "multiple_132": ("wrong", "1 call wanted, 2 calls came"),
    "simple_python_399": ("wrong", "1 call wanted, 2 calls came"),
    "simple_python_41": ("wrong", "1 call wanted, 2 calls came"),
    "simple_python_224": ("wrong", "1 call wanted, 2 calls came"),
    "simple_python_35": ("wrong", "no call came, 1 wanted"),
    "multiple_48": ("wrong", "no call came, 1 wanted"),
    "simple_python_112": ("wrong", "no call came, 1 wanted"),
    "multiple_113": ("unknown", "the server answered 400"),
    "multiple_119": ("unknown", "the server answered 400"),
    "multiple_0": ("wrong", "1 call wanted, 2 calls came"),
    "multiple_4": ("wrong", "1 call wanted, 2 calls came"),
    "multiple_5": ("wrong", "1 call wanted, 3 calls came"),
    "multiple_23": ("unknown", "cut off by the end of the context"),
    "multiple_69": ("unknown", "cut off by the end of the context"),
}


def answer(line: dict[str, Any]) -> Answer:
    calls = tuple(Call(str(number), *call) for number, call in enumerate(line["calls"]))
    trouble = Trouble("http_error", line["trouble"]) if "trouble" in line else None
    return Answer(line["content"], "", calls, line["finish"], line["tokens"], trouble=trouble)


def test_there_are_fifty() -> None:
    assert len(ROWS) == len(EXPECTED) == 50 and ROWS.keys() == EXPECTED.keys() == RECORDED.keys()


@pytest.mark.parametrize("id", EXPECTED)
def test_the_verdict_is_the_reader_s(id: str) -> None:
    judged = judge(CONFIG, ROWS[id], answer(RECORDED[id]))
    verdict, words = EXPECTED[id]
    assert (judged.verdict, words in judged.reason) == (verdict, True), judged.reason


@pytest.mark.parametrize("id", EXPECTED)
def test_the_accepted_values_are_right_and_without_a_call_it_is_wrong(id: str) -> None:
    calls = []
    for call in ROWS[id].calls or ():
        for name, accepted in call.items():
            given = {key: _first(values[0]) for key, values in accepted.items() if values[0] != ""}
            calls.append(Call("1", name.replace(".", "_"), json.dumps(given)))
    judged = judge(CONFIG, ROWS[id], Answer(calls=tuple(calls), finish_reason="tool_calls"))
    assert judged.verdict == "right", judged.reason
    assert judge(CONFIG, ROWS[id], Answer("I can't.", finish_reason="stop")).verdict == "wrong"


def _first(value: Any) -> Any:
    """Mappings among accepted values hold a list of them for each key."""
    if isinstance(value, dict):
        return {key: options[0] for key, options in value.items()}
    return [_first(part) for part in value] if isinstance(value, list) else value
