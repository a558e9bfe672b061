from __future__ import annotations

import pytest

from pipeline.core.errors import UsageError
from pipeline.core.project import Project
from pipeline.flow.connecting import target_of
from pipeline.flow.session import Session
from tests.projects import assay


def test_a_target_is_what_the_spec_says(project: Project) -> None:
    session = Session(project)
    lock = session.current("small")
    found = target_of(session, lock, None)
    assert (found.url, found.v1) == ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1")
    assert found.pinned == f"small@{lock.weights.sha256}"
    assert (found.context, found.answer) == (1024, 16)
    assert target_of(session, lock, "https://models.example.org/v1/").url == "https://models.example.org"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("models.example.org", "no address"),
        ("ftp://x", "no address"),
        ("http://127.0.0.1:port", "no address"),
        ('http://127.0.0.1/"; x', "no address"),
        ("https://ada:secret@example.org", "more than an address"),
        ("https://example.org/?key=secret", "more than an address"),
        ("http://models.example.org", "unencrypted"),
    ],
)
def test_an_address_that_is_none_is_refused(project: Project, url: str, said: str) -> None:
    session = Session(project)
    with pytest.raises(UsageError, match=said) as raised:
        target_of(session, session.current("small"), url)
    assert raised.value.hint
    assert said == "no address" or "secret" not in raised.value.message


def test_connect_prints_one(project: Project) -> None:
    code, out, err = assay("connect", "litellm", "small", project=project)
    assert (code, err) == (0, "")
    assert "model_list:" in out
    code, _, err = assay("connect", "chatgpt", "small", project=project)
    assert code == 2
    assert "open-webui" in err
