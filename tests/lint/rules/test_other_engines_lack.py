from __future__ import annotations

import pytest

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, subject

LACKED = {
    "strftime_now": "{{- strftime_now('%d %B %Y') -}}",
    "ensure_ascii": "{{- [1] | tojson(ensure_ascii=false) -}}",
    "loop over [::-1]": "{%- for message in messages[::-1] -%}{%- endfor -%}",
}
KNOWN = (
    "{%- if strftime_now is defined -%}{{- strftime_now('%d %B %Y') -}}{%- endif -%}",
    "{{- [1] | tojson(indent=4) -}}",
    "{%- for message in messages | reverse -%}{%- endfor -%}{%- set last = messages[::-1][0] -%}",
)


@pytest.mark.parametrize("code", ("", *KNOWN))
def test_what_all_engines_have(code: str) -> None:
    assert findings("A129", subject(template=code + chatml())) == []


@pytest.mark.parametrize("what", LACKED)
def test_what_others_lack(what: str) -> None:
    found = one("A129", subject(template="{# first line #}\n" + LACKED[what] + chatml()), Severity.INFO)
    assert what in found.message and found.where.startswith("chat_template:2:")
    assert found.evidence.startswith(LACKED[what][:20])
