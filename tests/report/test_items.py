from __future__ import annotations

from typing import Any

from pipeline.evals.model import EvalResult, Item, Metric
from pipeline.report import items
from pipeline.report.items import PAGE, SHOWN, TEXT_SHOWN, groups, judged, summary
from tests import factories as make


def result(*found: Item, metrics: tuple[Metric, ...] = ()) -> EvalResult:
    return EvalResult("s", "multiple_choice", metrics, found)


def item(id: str, verdict: str, **detail: Any) -> Item:
    return Item(id, float(verdict == "right"), {"verdict": verdict, "prompt": f"What about {id}?", **detail})


def test_what_went_wrong_comes_first_each_in_the_suites_order() -> None:
    found = groups(
        result(
            item("a", "right"),
            item("b", "wrong"),
            item("c", "right", unstable=True),
            item("d", "unknown", reason="cut off"),
            item("e", "wrong", unstable=True),
        )
    )
    assert [(group.verdict, [shown.id for page in group.pages for shown in page.items]) for group in found] == [
        ("wrong", ["b", "e"]),
        ("unknown", ["d"]),
        ("right", ["c"]),
        ("right", ["a"]),
    ]
    assert found[0].pages[0].items[1].unstable
    assert found[1].pages[0].items[0].lead == "cut off"


def test_items_without_a_verdict_have_that_of_their_score() -> None:
    assert [(group.verdict, group.count) for group in groups(make.choice(42, 54))] == [("wrong", 12), ("right", 42)]


def test_many_are_cut_into_pages_and_the_rest_is_said_to_be_in_the_record() -> None:
    many = result(*(item(f"w{i}", "wrong") for i in range(PAGE + 1)), *(item(f"r{i}", "right") for i in range(SHOWN)))
    wrong, right = groups(many)
    assert [(page.first, page.last, len(page.items)) for page in wrong.pages] == [
        (1, PAGE, PAGE),
        (PAGE + 1, PAGE + 1, 1),
    ]
    assert (wrong.hidden, right.count, right.hidden) == (0, SHOWN, PAGE + 1)
    assert right.pages[-1].last == SHOWN - PAGE - 1


def test_choices_show_their_log_probabilities_and_which_is_right() -> None:
    choices = [
        {"text": "ab", "logprob": -3.0, "tokens": 1, "bytes": 2},
        {"text": "c", "logprob": -1.0, "tokens": 1, "bytes": 1},
    ]
    (group,) = groups(result(item("a", "wrong", choices=choices, answer=0, picked=1, picked_norm=1, margin=-2.0)))
    (shown,) = group.pages[0].items
    first, second = shown.choices
    assert (first.text, first.logprob, first.per_byte, first.right, first.picked) == ("ab", -3.0, -1.5, True, False)
    assert (second.right, second.picked) == (False, True)
    assert ("Margin", "-2") in shown.facts
    assert [title for title, _ in shown.texts] == ["Prompt"]
    (several,) = groups(result(item("a", "right", choices=choices, answer=0, answers=[0, 1], picked=1)))
    assert [choice.right for choice in several.pages[0].items[0].choices] == [True, True]


def test_odd_details_do_no_harm() -> None:
    odd = item(
        "a", "other", choices=["x", {"text": None, "logprob": "high", "bytes": 0}], answer=None, calls=[{"name": "f"}]
    )
    (group,) = groups(result(odd))
    (shown,) = group.pages[0].items
    assert [choice.text for choice in shown.choices] == ["x", "—"]
    assert ("Calls", '[{"name": "f"}]') in shown.texts


def test_long_texts_are_cut_where_it_matters_least() -> None:
    long = "e" * TEXT_SHOWN + "the question?"
    (group,) = groups(result(item("a", "right", prompt=long, wanted="w" * (TEXT_SHOWN + 2))))
    texts = dict(group.pages[0].items[0].texts)
    assert texts["Prompt"].startswith("… 13 characters before this") and texts["Prompt"].endswith("the question?")
    assert texts["Wanted"].endswith("… 2 more characters are in the record")


def test_the_lead_is_what_was_asked() -> None:
    prompt = "<|im_start|>user\nWhat is the capital of Italy?<|im_end|>\n<|im_start|>assistant\n"
    (group,) = groups(result(item("a", "right", prompt=prompt)))
    assert "capital of Italy?" in group.pages[0].items[0].lead


def test_a_summary_says_score_noise_and_what_is_not_sure() -> None:
    acc = Metric("acc", 0.8, "share", 0.7, 0.9, 50)
    found = summary(result(metrics=(acc, Metric("unstable", 3.0, "items"), Metric("noise", 0.02, "nats"))))
    assert found is not None
    assert (found.score, found.unstable, found.unknown) == (acc, 3, None)
    assert found.noise is not None and found.noise.value == 0.02
    assert summary(result()) is None


def test_windows_of_a_text_are_rows_of_a_table() -> None:
    assert not judged(make.perplexity())
    assert judged(make.choice())
    assert items.groups(result()) == ()
