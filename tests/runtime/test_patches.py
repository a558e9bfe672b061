from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.gguf.header import read_header
from pipeline.runtime.build import EngineBuild
from pipeline.runtime.hollow import serving, write_hollow
from pipeline.runtime.patches import PATCH, PATCHED, as_served, given_as
from tests import zoo

CHATML = "{% for message in messages %}<|im_start|>{{ message.content }}<|im_end|>{% endfor %}"
GIVEN = {
    "plain": CHATML,
    "line at the end": CHATML + "\n",
    "two lines at the end": CHATML + "\n\n",
    "Windows": "{# one #}\r\n" + CHATML + "\r\n",
    "Mistral": zoo.PATCHED + CHATML,
    "Mistral without its marker": zoo.PATCHED.replace("[TOOL_CALLS]", "") + CHATML,
    "gpt-oss": "{%- for message in messages -%}" + PATCHED["<|channel|>"] + "{%- endif -%}{%- endfor -%}" + CHATML,
}


@pytest.mark.parametrize("name", GIVEN)
def test_the_server_shows_what_we_expect(name: str, engine_build: EngineBuild, tmp_path: Path) -> None:
    given = GIVEN[name]
    (tmp_path / "given.jinja").write_text(given, newline="")
    write_hollow(read_header(zoo.SOUND), tmp_path / "hollow.gguf")
    with serving(engine_build, tmp_path / "hollow.gguf", template=tmp_path / "given.jinja") as server:
        shown = server.client.get("/props").json()["chat_template"]
    assert shown == as_served(given) and given in given_as(shown)


def test_what_is_shown_may_have_been_given_as_it_is() -> None:
    assert next(given_as("a\nb")) == "a\nb"
    assert list(given_as("a")) == ["a", "a", "a\n", "a\r\n"]
    assert len(list(given_as(f"a{PATCH}"))) == 12
