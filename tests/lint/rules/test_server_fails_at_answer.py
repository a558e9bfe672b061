from __future__ import annotations

from pathlib import Path

from pipeline.lint.model import Severity
from pipeline.runtime.answer import Answer, Trouble
from pipeline.runtime.build import EngineBuild
from tests.lint.made import asked
from tests.lint.played import CALL, played_sound, scene, subject_that_played, take
from tests.lint.subjects import findings, one


def test_calls_that_the_server_answers_with_an_error(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A709", asked(tmp_path, "calls-in-words", engine_build), Severity.WARNING)
    assert "the server answered 500" in found.evidence


def test_the_sound_model(engine_build: EngineBuild) -> None:
    assert findings("A709", played_sound(engine_build)) == []


REFUSED = Answer(trouble=Trouble("http_error", "the server answered 500: no"))


def test_plain_answers_that_fail_are_an_error() -> None:
    assert one("A709", subject_that_played(take(scene(), REFUSED)), Severity.ERROR)


def test_a_warning_where_another_way_to_answer_comes_through() -> None:
    thinks = take(scene("thought", thought="Hm"))
    assert one("A709", subject_that_played(take(scene(), REFUSED), thinks), Severity.WARNING)


def test_a_server_that_dies_is_an_error() -> None:
    gone = take(scene("call", calls=(CALL,)), Answer(trouble=Trouble("server_crash", "broke")), died=True)
    assert "the server is gone" in one("A709", subject_that_played(gone), Severity.ERROR).evidence


def test_bare_json_that_fails_is_worth_knowing() -> None:
    assert one("A709", subject_that_played(take(scene("bare"), REFUSED)), Severity.INFO)
