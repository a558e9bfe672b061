"""Templates that chance makes, and what must hold for any of them."""

from __future__ import annotations

import time
from pathlib import Path

from hypothesis import strategies as st

from pipeline.lint import renderers
from pipeline.lint.probes import PROBES
from pipeline.lint.render import Job, Rendering, render_all
from pipeline.lint.render_server import ESCAPED

KINDS = {"", "syntax", "raised", "limit", "unknown"}
NAMED = ("user", "turns", "called", "rich-call", "thinking-off", "scan")
CPU = 1
LATE = 20.0
"""Seconds within which a rendering of ``CPU`` seconds must be over, on a machine that is busy with other things."""
RESIDENT = 256 << 20
"""What an idle renderer may hold, in bytes."""


def judge(template: str) -> list[Rendering]:
    """Render a template on some probes. Whatever it is, each has a prompt or says why not, soon, and nothing gets out."""
    began = time.monotonic()
    context = {"bos_token": "<s>", "eos_token": "</s>", "enable_thinking": True}
    found = render_all({"chat": template}, [Job("chat", {**context, **PROBES[name]}) for name in NAMED], cpu=CPU)
    assert time.monotonic() - began < LATE
    assert len(found) == len(NAMED)
    for item in found:
        assert item.kind in KINDS and (item.text is None) == bool(item.kind) and bool(item.error) == bool(item.kind)
        assert ESCAPED not in item.error
        assert item.line >= 0 and item.column >= 0
    for renderer in list(renderers._IDLE):
        assert resident(renderer.process.pid) < RESIDENT
    return found


def resident(pid: int) -> int:
    """The memory of a process in bytes; 0 where the system does not say it in /proc."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    except OSError:
        return 0


NAMES = "messages message tools tool call loop namespace ns bos_token add_generation_prompt raise_exception range absent self".split()
PARTS = "role content tool_calls function arguments name parameters x first length __class__ __init__ __globals__ format".split()
FILTERS = (
    "tojson length trim upper first last join list map('upper') replace('a','b') default('x') selectattr('role') batch(3) "
    "items string int safe sort reverse groupby('role') attr('__class__') format(1) center(99999) indent(999) wordwrap(1) "
    "unique sum tojson(indent=9) slice(9) urlize striptags xmlattr pprint random filesizeformat"
).split(" ")
CONSTANTS = st.sampled_from(
    ["1", "0", "-1", "99999999", "1e308", "''", "'user'", "'<|im_end|>'", "none", "true", "[]", "{}", "'%s'"]
)


def _expressions() -> st.SearchStrategy[str]:
    atoms = CONSTANTS | st.sampled_from(NAMES)

    def more(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.builds("({} {} {})".format, inner, st.sampled_from("+ - * / // % ** ~ == < in and or".split()), inner),
            st.builds("{}.{}".format, inner, st.sampled_from(PARTS)),
            st.builds("{}[{}]".format, inner, inner),
            st.builds("{}[{}:]".format, inner, inner),
            st.builds("({} | {})".format, inner, st.sampled_from(FILTERS)),
            st.builds("{}({})".format, inner, inner),
            st.builds("({} if {} else {})".format, inner, inner, inner),
            st.builds(
                "({} is {})".format, inner, st.sampled_from("defined none string mapping iterable number".split())
            ),
            st.builds("[{}, {}]".format, inner, inner),
            st.builds("{{{}: {}}}".format, inner, inner),
        )

    return st.recursive(atoms, more, max_leaves=6)


EXPRESSIONS = _expressions()


def _statements() -> st.SearchStrategy[str]:
    texts = st.sampled_from(["", "x", "<|im_start|>", "\n", " ", "{", "}}", "é\u202e"])
    prints = st.builds("{{{{ {} }}}}".format, EXPRESSIONS)
    sets = st.builds("{{% set {} = {} %}}".format, st.sampled_from([*NAMES, "ns.x"]), EXPRESSIONS)
    calls = st.builds("{{{{ messages[0].update({}) }}}}{{{{ ns.append({}) }}}}".format, EXPRESSIONS, EXPRESSIONS)

    def more(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.builds("{}{}".format, inner, inner),
            st.builds("{{% for {} in {} %}}{}{{% endfor %}}".format, st.sampled_from(NAMES), EXPRESSIONS, inner),
            st.builds(
                "{{% for message in messages recursive %}}{}{{{{ loop(messages) }}}}{{% endfor %}}".format, inner
            ),
            st.builds("{{%- if {} -%}}{}{{% else %}}{}{{% endif %}}".format, EXPRESSIONS, inner, inner),
            st.builds("{{% macro call(x) %}}{}{{% endmacro %}}{{{{ call({}) }}}}".format, inner, EXPRESSIONS),
            st.builds("{{% set ns %}}{}{{% endset %}}".format, inner),
            st.builds("{{% generation %}}{}{{% endgeneration %}}".format, inner),
            st.builds("{{% set ns = namespace(x={}) %}}{}".format, EXPRESSIONS, inner),
            st.builds("{{% raw %}}{}{{% endraw %}}".format, inner),
            st.builds("{{% include {} %}}{}".format, EXPRESSIONS, inner),
            st.builds("{{% filter {} %}}{}{{% endfilter %}}".format, st.sampled_from(FILTERS), inner),
        )

    return st.recursive(texts | prints | sets | calls, more, max_leaves=8)


TEMPLATES = _statements()
"""Templates that mostly parse: statements and expressions of all sorts, nested, on what templates are given."""

NOISE = st.lists(
    st.sampled_from(
        ["{{", "}}", "{%", "%}", "{#", "#}", " ", "if", "for", "in", "messages", "|", "'", "(", "-", "\n", "é"]
    )
    | st.text(max_size=3),
    max_size=40,
).map("".join)
"""Pieces of templates in any order."""
