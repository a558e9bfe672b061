from __future__ import annotations

import pytest

from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.subjects import chatml, findings, one, sound, subject

NO_TOOLS = "{%- set tools = [] -%}" + chatml()
BROKEN = {
    "drops tools": NO_TOOLS,
    "drops tool calls": chatml().replace("{%- if message.tool_calls -%}", "{%- if false -%}"),
    "drops tool results": zoo.DROPS_RESULTS + chatml(),
    "fails on a tool call": chatml().replace(
        "{%- if message.tool_calls -%}", "{%- if message.tool_calls -%}{{ 1 / 0 }}"
    ),
}


def test_good() -> None:
    assert findings("A105", sound()) == []


@pytest.mark.parametrize("what", BROKEN)
def test_bad(what: str) -> None:
    assert BROKEN[what] != chatml()
    assert what in one("A105", subject(template=BROKEN[what]), Severity.ERROR).message


def test_a_model_that_claims_no_tools_may_have_none() -> None:
    one("A105", subject(template=NO_TOOLS, spec=zoo.spec(checks=["stop-tokens"])), Severity.INFO)


@pytest.mark.parametrize("guard", ["arguments is string", "arguments is mapping"])
def test_one_shape_of_arguments_is_enough(guard: str) -> None:
    check = "{%- for m in messages %}{%- for c in m.tool_calls or [] %}{%- if not c.function." + guard
    picky = check + " %}{{ raise_exception('shape') }}{% endif %}{% endfor %}{% endfor %}" + chatml()
    assert findings("A105", subject(template=picky)) == []


def test_a_template_with_tools_may_lose_neither_calls_nor_results() -> None:
    """Whether or not a spec asks for tools."""
    plain = zoo.spec(checks=["stop-tokens"])
    lost = one("A105", subject(template=BROKEN["drops tool results"], spec=plain), Severity.ERROR)
    assert "Quernville" in lost.evidence, "it shows what stands after the call"
    one("A105", subject(template=BROKEN["drops tool calls"], spec=plain), Severity.WARNING)
    one("A105", subject(template=BROKEN["fails on a tool call"], spec=plain), Severity.WARNING)


def test_content_as_parts_is_no_loss() -> None:
    """llama-server makes a list of parts of every text for a template that takes nothing else."""
    parts = chatml().replace("messages[0].content", "messages[0].content[0].text")
    parts = parts.replace(
        "{{- message.content -}}", "{%- for part in message.content -%}{{- part.text -}}{%- endfor -%}"
    )
    assert subject(template=parts).renderings["user"].text == sound().renderings["user"].text
    assert findings("A105", subject(template=parts)) == []
