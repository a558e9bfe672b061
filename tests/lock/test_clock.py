from __future__ import annotations

import pytest

from pipeline.core.errors import UsageError
from pipeline.lock.clock import pinned, reads_clock

DAY = "2026-03-04"


@pytest.mark.parametrize(
    ("template", "after"),
    [
        ("{{ strftime_now('%d %B %Y') }}", "{{ '04 March 2026' }}"),
        ('{%- set a = strftime_now( "%Y-%m-%d" ) + "." -%}', "{%- set a = '2026-03-04' + \".\" -%}"),
        ('{{ strftime_now("it\'s %H:%M") }}', "{{ 'it\\'s 00:00' }}"),
        (
            "{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% endif %}",
            "{% if strftime_now is defined %}{{ '2026' }}{% endif %}",
        ),
        ("\n{{ date_string }}", "{%- set date_string = '04 Mar 2026' %}\n\n{{ date_string }}"),
        ("{{ datetime }}", "{%- set datetime = 'Mar 04 2026' %}\n{{ datetime }}"),
    ],
)
def test_the_day_stands_still(template: str, after: str) -> None:
    assert reads_clock(template)
    assert pinned(template, DAY) == after


@pytest.mark.parametrize(
    "template",
    [
        "",
        "The strftime_now('%Y') function, the datetime and the date_string.",
        "{{ 'datetime' }}{{ message.datetime }}{{ my_date_string }}",
        "{% if strftime_now is not defined %}old{% endif %}",
    ],
)
def test_what_reads_no_clock_stays_as_it_is(template: str) -> None:
    assert not reads_clock(template)
    assert pinned(template, DAY) == template


@pytest.mark.parametrize(
    "template", ["{{ strftime_now(form) }}", "{% set now = strftime_now %}", "{{ strftime_now('%Y' ~ x) }}"]
)
def test_a_form_that_is_made_up_on_the_way_is_refused(template: str) -> None:
    with pytest.raises(UsageError, match="can't be pinned"):
        pinned(template, DAY)


@pytest.mark.parametrize(
    "hostile", ["{{" * 300_000, "{{ '" + "\\'" * 300_000, "{{ strftime_now" * 30_000, "{% '" * 200_000]
)
def test_no_template_takes_long_to_look_through(hostile: str) -> None:
    reads_clock(hostile)  # with a step for each pair of places it would take minutes
