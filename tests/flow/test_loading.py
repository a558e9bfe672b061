"""What befalls a model behind the door while its engine loads it."""

from __future__ import annotations

import os
import signal
import threading

import httpx

from pipeline.core.project import Project
from tests.projects import alive, finish, start, stop, until
from tests.residents import NAMES, Begin, Holding, Served, size_of, stopped


def test_while_one_is_loaded_the_others_answer_and_its_queue_is_bounded(
    several: Project, begin: Begin, engine: Holding
) -> None:
    two = sum(size_of(several, name) for name in ("small", "other"))
    one = begin(several, *NAMES, "--memory", str(two), "--queue", "2", "--engine", str(engine.server))
    engine.hold("other")
    assert one.ask("small").status_code == 200
    answers: dict[str, list[httpx.Response]] = {"other": [], "third": []}

    def ask(name: str) -> threading.Thread:
        thread = threading.Thread(target=lambda: answers[name].append(one.ask(name)))
        thread.start()
        return thread

    waiting = [ask("other")]
    loading = one.held("other")
    waiting += [ask("other"), ask("third")]
    until(lambda: one.states()["third"] == "loading")  # it waits for its turn: one is loaded at a time
    until(lambda: one.ask("other").status_code == 429)
    assert one.ask("small").status_code == 200 and set(one.engines()) == {"small", "other"}
    os.kill(loading, signal.SIGCONT)
    for thread in waiting:
        thread.join()
    assert [answer.status_code for answer in answers["other"] + answers["third"]] == [200] * 3
    assert one.end() == 0


def test_a_crash_while_it_is_loaded_is_told_to_who_waits_and_the_next_one_is_answered(
    several: Project, begin: Begin, engine: Holding
) -> None:
    budget = str(max(size_of(several, name) for name in NAMES))
    one = begin(several, "small", "other", "--memory", budget, "--engine", str(engine.server))
    engine.hold("small")
    answers: list[httpx.Response] = []
    waiting = threading.Thread(target=lambda: answers.append(one.ask("small")))
    waiting.start()
    os.kill(one.held("small"), signal.SIGKILL)
    waiting.join()
    assert answers[0].status_code == 503 and "not ready: killed by SIGKILL" in answers[0].text
    assert one.ask("other").status_code == 200
    until(lambda: one.states()["small"] == "unloaded")
    assert one.ask("small").status_code == 200
    assert one.end() == 0


def test_it_is_stopped_while_it_loads_and_who_waits_is_told(several: Project, begin: Begin, engine: Holding) -> None:
    budget = str(max(size_of(several, name) for name in NAMES))
    one = begin(several, "small", "other", "--memory", budget, "--drain", "20", "--engine", str(engine.server))
    engine.hold("small")
    answers: list[httpx.Response] = []
    waiting = threading.Thread(target=lambda: answers.append(one.ask("small")))
    waiting.start()
    one.held("small")
    assert one.end() == 0
    waiting.join()
    assert answers[0].status_code == 503 and "is being stopped" in answers[0].text


def test_it_is_stopped_before_all_are_loaded(several: Project, engine: Holding) -> None:
    engine.hold("other")
    process = start("serve", "small", "other", "--port", "0", "--engine", str(engine.server), project=several)
    one = Served(process, {})
    try:
        until(lambda: stopped(one.engines().get("other")))
        pids = one.engines()
        assert set(pids) == {"small", "other"}
        process.send_signal(signal.SIGINT)
        code, out, err = finish(process)
        assert code == 130 and not out and "interrupted" in err and "Traceback" not in err
        assert not any(alive(pid) for pid in pids.values())
    finally:
        stop(process)
