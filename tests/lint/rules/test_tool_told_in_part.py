from __future__ import annotations

import pytest

from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.subjects import chatml, findings, one, subject

SCHEMA = "tool.function | tojson"
NAME, ABOUT = "tool.function.name", "tool.function.description"
PLACES = "tool.function.parameters.properties"
SAYS = {
    NAME: "its description, its parameters",
    f"{NAME} ~ ': ' ~ {ABOUT}": "out its parameters",
    f"{NAME} ~ ' ' ~ tool.function.parameters | tojson": "out its description",
    f"{NAME} ~ {ABOUT} ~ ({PLACES} | list | tojson)": "what a parameter means (description), the values",
}


def written(expression: str) -> str:
    template = chatml().replace(SCHEMA, expression)
    assert template != chatml()
    return template


def test_a_template_that_prints_the_schema() -> None:
    assert findings("A127", subject()) == []


@pytest.mark.parametrize("expression", SAYS)
def test_what_is_left_out(expression: str) -> None:
    found = findings("A127", subject(template=written(expression)))[0]
    assert (found.severity, SAYS[expression] in found.message) == (Severity.ERROR, True), found.message
    assert all((found.where, found.evidence, found.fix))


def test_without_checks_of_tools_it_is_a_warning() -> None:
    plain = zoo.spec(checks=["stop-tokens"])
    assert findings("A127", subject(template=written(NAME), spec=plain))[0].severity is Severity.WARNING


@pytest.mark.parametrize(
    ("places", "lost"), [("'enum'", "enum"), ("'properties'", "properties"), ("'anyOf'", "anyOf"), ("'$ref'", "$defs")]
)
def test_a_part_of_a_parameter(places: str, lost: str) -> None:
    loop = (
        "{%- for tool in tools -%}{{- tool.function.name ~ tool.function.description -}}"
        "{%- for name, place in tool.function.parameters.properties.items() if " + places + " not in place -%}"
        "{{- name ~ place | tojson -}}{%- endfor -%}{%- endfor -%}"
    )
    template = loop + chatml().replace(SCHEMA, NAME) + "{# $defs are never printed here #}"
    found = findings("A127", subject(template=template))
    assert lost in " ".join(finding.message for finding in found)


def test_linked_schemas_alone_are_an_info() -> None:
    template = written(
        "{'name': tool.function.name, 'description': tool.function.description, 'parameters': "
        "{'properties': tool.function.parameters.properties}} | tojson"
    )
    found = one("A127", subject(template=template), Severity.INFO)
    assert "$ref refers to" in found.message
