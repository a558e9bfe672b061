from __future__ import annotations

from dataclasses import replace

from pipeline.evals.model import Item
from pipeline.record.model import StageResult
from pipeline.report.items import SHOWN, TEXT_SHOWN
from pipeline.report.site.items import EACH, TEXT, large, paged
from pipeline.report.site.render import items_page
from tests import factories as make
from tests.report.site.samples import large_run


def test_every_item_is_on_one_page_what_went_wrong_first() -> None:
    pages = list(paged(large_run(), "tiny-chat.html", make.NOW, "0.1.0"))
    assert [(page.first, page.last) for page in pages] == [(1, 500), (501, 1000), (1001, 1100)]
    shown = [item for page in pages for _, items in page.groups for item in items]
    assert len(shown) == len({item.id for item in shown}) == 1_100
    verdicts = [item.verdict for item in shown]
    assert verdicts == sorted(verdicts, key=["wrong", "right"].index)
    assert [(page.before, page.after) for page in pages] == [
        *(("", "tiny-choice-2.html"), ("tiny-choice-1.html", "tiny-choice-3.html"), ("tiny-choice-2.html", "")),
    ]


def test_only_suites_that_the_models_page_cannot_hold_get_pages() -> None:
    run = large_run()
    assert not large(run)
    assert run.result.evaluation is not None
    more = replace(run.result.evaluation, items=run.result.evaluation.items * 2)
    assert len(more.items) > SHOWN > EACH
    assert large(replace(run, result=StageResult(evaluation=more)))
    assert not large(replace(run, result=StageResult()))


def test_items_with_long_texts_are_fewer_on_a_page() -> None:
    run = large_run()
    assert run.result.evaluation is not None
    long = [
        Item(f"q{i}", float(i > 5), {"prompt": "p" * TEXT_SHOWN, "answer": "a" * 9 * TEXT_SHOWN}) for i in range(700)
    ]
    told = replace(run, result=StageResult(evaluation=replace(run.result.evaluation, items=tuple(long))))
    assert large(told)
    pages = list(paged(told, "tiny-chat.html", make.NOW, "0.1.0"))
    shown = [item.id for page in pages for _, items in page.groups for item in items]
    assert shown == [item.id for item in long], "none is missing, none is there twice"
    assert [page.last for page in pages[:-1]] == [page.first - 1 for page in pages[1:]]
    assert pages[-1].last == 700 and all(page.every == tuple(one.file for one in pages) for page in pages)
    sizes = [len(items_page(page)) for page in pages]
    assert len(sizes) == 3 and max(sizes) < 1.2 * TEXT
    assert all(f'href="{one.file}"' in items_page(pages[0]) for one in pages[1:])
