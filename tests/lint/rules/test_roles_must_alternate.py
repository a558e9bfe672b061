from __future__ import annotations

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, subject

GUARD = (
    "{%- for message in messages -%}{%- if not loop.first and message.role == loop.previtem.role -%}"
    "{{ raise_exception('roles must alternate') }}{%- endif -%}{%- endfor -%}"
)


def test_a_template_that_takes_them_is_clean() -> None:
    assert findings("A119", subject()) == []


def test_they_are_refused() -> None:
    found = one("A119", subject(template=GUARD + chatml()), Severity.INFO)
    assert "roles must alternate" in found.message and found.where.startswith("chat_template:1:")


def test_one_is_lost() -> None:
    loop = "{%- for message in conversation -%}"
    skips = "{%- if not (message.role == 'user' and loop.nextitem and loop.nextitem.role == 'user') -%}"
    template = (
        chatml()
        .replace(loop, loop + skips)
        .replace("{%- endfor -%}\n{%- if add", "{%- endif -%}{%- endfor -%}{%- if add")
    )
    one("A119", subject(template=template), Severity.WARNING)
