"""Which findings carry a mend, and where none is made because it would take judgement."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.lint.engine import rules
from pipeline.lint.model import OVERRIDES, TEMPLATE, Mend
from pipeline.lint.rules._mends import opener, override, retext, terminator
from tests import zoo
from tests.lint.made import made
from tests.lint.subjects import chatml, subject

END = zoo.token("<|im_end|>")


def mend(code: str, folder: Path, defect: str | zoo.Make) -> Mend | None:
    (found,) = rules()[code].check(made(folder, defect))
    return found.mend


def test_the_token_that_ends_turns_is_read_off_the_template() -> None:
    assert terminator(subject()) == (END, "<|im_end|>")
    assert opener(subject()) == "<|im_start|>"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<|im_end|>", ""),  # nothing ends a turn
        ("<|im_end|>", "<|im_start|>"),  # what ends a turn opens the next
        ("<|im_end|>", "###"),  # no token of its own
    ],
)
def test_no_token_is_guessed(old: str, new: str) -> None:
    assert terminator(subject(template=chatml().replace(old, new))) is None


def test_an_override_is_made_only_of_what_a_spec_may_say() -> None:
    assert override(eos_token_id=END) == Mend(OVERRIDES, {"tokenizer.ggml.eos_token_id": END})
    assert override(eos_token_id=True) is None
    assert override(tokens=1) is None


def test_a_template_is_not_replaced_by_itself_nor_where_tools_have_another(tmp_path: Path) -> None:
    assert retext(subject(), chatml()) is None
    assert retext(subject(), "other") == Mend(TEMPLATE, "other")
    assert retext(made(tmp_path, "another-template-for-tools"), "other") is None


@pytest.mark.parametrize(
    ("code", "defect", "keys"),
    [
        ("A201", "eos-missing", {"eos_token_id": END}),
        ("A201", "end-of-turn-not-named", {"eot_token_id": END}),
        ("A213", "eos-after-prompts", {"add_eos_token": False}),
        ("A302", "id-of-another-type", {"padding_token_id": 796}),
    ],
)
def test_what_is_safe_is_said_as_an_override(
    tmp_path: Path, code: str, defect: str, keys: dict[str, bool | int]
) -> None:
    assert mend(code, tmp_path, defect) == Mend(OVERRIDES, {f"tokenizer.ggml.{key}": it for key, it in keys.items()})


@pytest.mark.parametrize(
    ("code", "defect"),
    [
        ("A201", "eos-not-control"),
        ("A201", "turns-do-not-end"),
        ("A203", "pre-missing"),
        ("A207", "pre-unknown"),
        ("A215", "ends-in-a-foreign-key"),
        ("A501", "template-zero-width-space"),
        ("A124", zoo.edited("<|im_end|>", "<|im_end|>{INPUT}")),
    ],
)
def test_what_takes_judgement_has_none(tmp_path: Path, code: str, defect: str | zoo.Make) -> None:
    assert mend(code, tmp_path, defect) is None


@pytest.mark.parametrize("placeholder", ["__EOS_TOKEN__", "{EOS}"])
def test_a_placeholder_becomes_the_token_where_it_stands_in_code_and_in_text(tmp_path: Path, placeholder: str) -> None:
    text = f"{{{{ 'it\\'s {placeholder}' }}}}{placeholder}"
    (found,) = rules()["A124"].check(made(tmp_path, zoo.template(lambda old: text + old)))
    assert found.mend == Mend(TEMPLATE, "{{ 'it\\'s ' + eos_token + '' }}{{ eos_token }}" + chatml())


def test_a_byte_order_mark_is_taken_out(tmp_path: Path) -> None:
    (found,) = rules()["A501"].check(made(tmp_path, zoo.led("\ufeff")))
    assert found.mend == Mend(TEMPLATE, chatml())
