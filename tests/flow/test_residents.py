"""Several models behind one door, as ``assay serve`` has them: who is loaded, who makes room, who is refused."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from pathlib import Path

import httpx
import pytest

from pipeline.core.project import Project
from pipeline.lock.load import read_lock
from tests.projects import alive, assay, flip, until
from tests.residents import NAMES, Begin, blob_of, size_of


def test_each_answers_under_its_own_digests(several: Project, begin: Begin) -> None:
    one = begin(several, "small", "other")
    locks = {name: read_lock(several, name) for name in ("small", "other")}
    assert [told["state"] for told in one.content["served"]] == ["loaded", "loaded"]
    assert {told["name"]: told["pid"] for told in one.content["served"]} == one.engines()
    assert all(told["memory"] == size_of(several, told["name"]) for told in one.content["served"])
    assert one.content["models"] == [
        name for lock in locks.values() for name in (lock.name, f"{lock.name}@{lock.weights.sha256}")
    ]
    for name, lock in locks.items():
        for model in (name, f"{name}@{lock.weights.sha256}"):
            answer = one.ask(model)
            assert answer.status_code == 200, answer.text
            assert answer.headers["x-assay-lock"] == str(lock.digest)
            assert answer.headers["x-assay-model-digest"] == lock.weights.sha256
    assert locks["small"].weights.sha256 != locks["other"].weights.sha256
    assert one.ask(None).status_code == one.ask("third").status_code == 404
    assert one.states() == {"small": "loaded", "other": "loaded"}
    figures = one.get(f"{one.root}/metrics").text
    for lock in locks.values():
        assert f'assay_engine_up{{digest="{lock.weights.sha256}",model="{lock.name}"}} 1.0' in figures
    lines = [json.loads(line) for line in Path(one.content["access_log"]).read_text().splitlines()]
    asked = [(line["model"], line["digest"]) for line in lines if line.get("completion_tokens")]
    assert asked == [(lock.name, lock.weights.sha256) for lock in locks.values() for _ in range(2)]
    theirs = (several.state / "serve" / "other" / "key").read_text().strip()  # clients of each keep their key
    assert theirs != one.key
    with one.client(theirs) as client:
        assert client.get("/models").status_code == 200
    assert one.end() == 0


def test_where_one_fits_each_is_loaded_when_it_is_asked_for(several: Project, begin: Begin) -> None:
    one = begin(several, "small", "other", "--memory", str(max(size_of(several, name) for name in NAMES)))
    assert [(told["state"], told["pid"]) for told in one.content["served"]] == [("unloaded", None)] * 2
    for path in ("/models", "/models/other", f"{one.root}/metrics", f"{one.root}/readyz"):
        assert one.get(path).status_code == 200, path
    assert one.states() == {"small": "unloaded", "other": "unloaded"} and one.engines() == {}
    pids = []
    for name in ("small", "other", "small", "small"):
        answer = one.ask(name)
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-assay-model-digest"] == read_lock(several, name).weights.sha256
        assert list(one.engines()) == [name]
        assert one.states() == {"small": "unloaded", "other": "unloaded", name: "loaded"}
        pids.append(one.engines()[name])
    assert len(set(pids)) == 3 and pids[2] == pids[3]
    with one.client() as client:
        tokens = client.post(f"{one.root}/tokenize", json={"model": "other", "content": "Hello"})
    assert tokens.status_code == 200 and tokens.json()["tokens"]
    assert list(one.engines()) == ["other"]
    assert any("small is unloaded: other needs the memory" in line for line in one.said)
    assert one.end() == 0


def test_the_least_recently_used_makes_room(several: Project, begin: Begin) -> None:
    two = sum(size_of(several, name) for name in ("small", "other"))
    one = begin(several, *NAMES, "--memory", str(two))
    for name in ("small", "other", "small"):
        assert one.ask(name).status_code == 200
    before = one.engines()
    assert set(before) == {"small", "other"}
    assert one.ask("third").status_code == 200
    after = one.engines()
    assert set(after) == {"small", "third"} and after["small"] == before["small"] and not alive(before["other"])
    assert one.ask("other").status_code == 200
    assert set(one.engines()) == {"third", "other"}


def test_one_that_answers_is_not_stopped_and_the_queue_before_the_other_is_bounded(
    several: Project, begin: Begin
) -> None:
    budget = str(max(size_of(several, name) for name in NAMES))
    one = begin(several, "small", "other", "--memory", budget, "--queue", "2")
    # More than fits into the buffers on the way: it goes on for as long as nobody reads.
    long = {"model": "small", "prompt": "Hello", "max_tokens": 900, "stream": True, "ignore_eos": True, "n_probs": 60}
    answers: list[httpx.Response] = []
    waiting = [threading.Thread(target=lambda: answers.append(one.ask("other"))) for _ in range(2)]
    with one.client() as client, client.stream("POST", "/completions", json=long) as stream:
        lines = stream.iter_lines()
        next(lines)
        streaming = one.engines()["small"]
        for thread in waiting:
            thread.start()
        digest = read_lock(several, "other").weights.sha256
        until(lambda: f'assay_waiting{{digest="{digest}",model="other"}} 2.0' in one.get(f"{one.root}/metrics").text)
        refused = one.ask("other")
        assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1
        assert one.states()["other"] == "loading"
        assert one.engines() == {"small": streaming} and not answers
        assert [line for line in lines if line][-1] == "data: [DONE]"
    for thread in waiting:
        thread.join()
    assert [answer.status_code for answer in answers] == [200, 200]
    assert list(one.engines()) == ["other"] and not alive(streaming)


def test_one_that_nobody_asks_is_unloaded_and_verified_before_it_is_loaded_again(own: Project, begin: Begin) -> None:
    one = begin(own, "small", "other", "--idle", "1s")
    before = one.engines()
    until(lambda: one.states() == {"small": "unloaded", "other": "unloaded"})
    assert any("small is unloaded: nobody asked" in line for line in one.said)
    until(lambda: one.engines() == {})
    flip(blob_of(own, "other"))
    refused = one.ask("other")
    assert refused.status_code == 503 and "not those that the lock names" in refused.text
    assert str(own.root) not in refused.text and refused.headers["retry-after"]
    assert one.states() == {"small": "unloaded", "other": "failed"}
    answer = one.ask("small")
    assert answer.status_code == 200 and list(one.engines()) == ["small"] and one.engines()["small"] != before["small"]
    assert one.ask("other").status_code == 503
    assert one.end(signal.SIGTERM) == 0


def test_a_file_that_changes_takes_its_model_out_of_service_and_the_last_one_ends_it(
    own: Project, begin: Begin
) -> None:
    one = begin(own, "small", "other")
    flip(blob_of(own, "other"))
    until(lambda: one.states()["other"] == "failed")
    assert one.ask("other").status_code == 503 and one.ask("small").status_code == 200
    until(lambda: list(one.engines()) == ["small"])
    assert one.get(f"{one.root}/readyz").status_code == 200
    flip(blob_of(own, "small"))
    assert one.process.wait(20) == 5 and one.end() == 5
    assert any("other bytes than the lock names" in line for line in one.said)


def test_one_that_crashes_is_started_again_and_the_other_goes_on(several: Project, begin: Begin) -> None:
    one = begin(several, "small", "other")
    before = one.engines()
    os.kill(before["small"], signal.SIGKILL)
    until(lambda: one.states()["small"] == "unloaded")
    answer = one.ask("small")
    assert answer.status_code == 200, answer.text
    after = one.engines()
    assert after["small"] != before["small"] and after["other"] == before["other"]
    assert any("ended by itself: killed by SIGKILL" in line for line in one.said)


def test_one_that_does_not_start_is_refused_with_the_reason_and_the_other_goes_on(
    several: Project, begin: Begin
) -> None:
    one = begin(several, "broken", "small")
    told = one.content["served"]
    assert [(each["state"], each["pid"] is None) for each in told] == [("failed", True), ("loaded", False)]
    assert "llama-server was not ready" in told[0]["reason"]
    seen = set()
    for _ in range(3):
        answer = one.ask("broken")
        assert answer.status_code == 503 and "llama-server was not ready" in answer.text
        seen.add(answer.headers["retry-after"])
        until(lambda: one.states()["broken"] == "unloaded")
    assert seen <= {"1", "2", "4"} and "2" in seen
    assert one.ask("small").status_code == 200
    assert one.end() == 0


def test_killed_it_leaves_no_engine_behind(several: Project, begin: Begin) -> None:
    one = begin(several, "small", "other")
    pids = one.engines().values()
    assert len(pids) == 2
    one.process.kill()
    until(lambda: not any(alive(pid) for pid in pids), 10)


def test_what_can_not_be_read_is_named_before_anything_starts(own: Project) -> None:
    blob = blob_of(own, "other")
    blob.chmod(0o600)
    os.truncate(blob, 1000)
    code, out, err = assay("serve", "small", "other", "--port", "0", project=own)
    assert code == 5 and not out and "load small" not in err and "1000 bytes instead of" in err


def test_many_who_ask_for_all_at_once_are_all_answered(several: Project, begin: Begin) -> None:
    two = sum(size_of(several, name) for name in ("small", "other"))
    one = begin(several, *NAMES, "--memory", str(two))
    digests = {name: read_lock(several, name).weights.sha256 for name in NAMES}
    wrong: list[object] = []

    def ask(number: int) -> None:
        for turn in range(4):
            name = NAMES[(number + turn) % 3]
            answer = one.ask(name)
            if answer.status_code != 200 or answer.headers["x-assay-model-digest"] != digests[name]:
                wrong.append((name, answer.status_code, answer.text))

    asking = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in asking:
        thread.start()
    most = 0
    while any(thread.is_alive() for thread in asking):
        most = max(most, len(one.engines()))
    assert not wrong and most == 2
    assert one.end() == 0


def test_one_model_alone_is_unloaded_too_and_a_change_of_its_file_ends_it(own: Project, begin: Begin) -> None:
    one = begin(own, "small", "--idle", "1s")
    before = one.engines()["small"]
    assert one.content["pid"] == before and one.content["name"] == "small"
    until(lambda: one.engines() == {} and one.states() == {"small": "unloaded"})
    refused = one.get(f"{one.root}/props")
    assert refused.status_code == 503 and "not_loaded" in refused.text and refused.headers["retry-after"]
    assert one.ask(None).status_code == 200 and one.engines()["small"] != before
    assert one.get(f"{one.root}/props").status_code == 200
    until(lambda: one.engines() == {})
    flip(blob_of(own, "small"))
    with pytest.raises(httpx.TransportError):
        one.ask("small")
    assert one.process.wait(20) == 5 and one.end() == 5


def test_what_does_not_fit_alone_is_refused_with_the_arithmetic(several: Project) -> None:
    for names in (["small", "other"], ["small"]):
        code, out, err = assay("serve", *names, "--port", "0", "--memory", "100MiB", project=several)
        assert code == 2 and not out and re.search(r"small does not fit: weights 4 MiB \+ KV cache .* 100 MiB", err), (
            err
        )


def test_none_that_starts_ends_it(several: Project) -> None:
    code, out, err = assay("serve", "broken", "--port", "0", "--idle", "5m", project=several)
    assert code == 6 and not out and "llama-server was not ready" in err
