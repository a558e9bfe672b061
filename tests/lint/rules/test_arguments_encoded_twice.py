from __future__ import annotations

from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.subjects import chatml, findings, one, subject


def test_arguments_printed_once_are_clean() -> None:
    assert findings("A110", subject()) == []


def test_the_object_is_encoded_twice() -> None:
    once = "{{- call.function.arguments | tojson -}}"
    template = chatml().replace(once, once.replace("tojson", "tojson | tojson"))
    found = one("A110", subject(template=template), Severity.ERROR)
    assert '\\"quern_place\\"' in found.evidence.replace("\\\\", "\\")
    one("A110", subject(template=template, spec=zoo.spec(checks=[])), Severity.WARNING)


def test_only_the_text_of_other_engines_is() -> None:
    template = chatml().replace("call.function.arguments is string", "false")
    assert "llama-server does not" in one("A110", subject(template=template), Severity.INFO).message
