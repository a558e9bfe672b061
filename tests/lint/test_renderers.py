"""The processes that render live on between requests, and never longer than they should."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.lint import renderers
from pipeline.lint.render import Job, render_all
from pipeline.lint.renderers import Renderer, ask

ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


def request(template: str, *, cpu: int = 3, **context: object) -> bytes:
    jobs = [{"template": "t", "context": context}]
    return json.dumps({"templates": {"t": template}, "jobs": jobs, "memory": 512 << 20, "cpu": cpu}).encode()


@pytest.fixture
def renderer() -> Iterator[Renderer]:
    made = Renderer()
    yield made
    made.close()


def ended(pid: int) -> bool:
    """Wait for a process to end, ten seconds at most."""
    for _ in range(500):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_one_renderer_answers_many_requests(renderer: Renderer) -> None:
    for number in range(3):
        answer = renderer.ask(request("{{ x + 1 }}", x=number), 20)
        assert [json.loads(line) for line in answer.lines] == [{"text": str(number + 1)}]
        assert (answer.status, answer.late) == (0, False)


def test_a_rendering_without_end_leaves_the_renderer_alone(renderer: Renderer) -> None:
    assert renderer.ask(request(ENDLESS, cpu=1), 20).status == -signal.SIGKILL
    assert renderer.ask(request("fine"), 20).lines == [b'{"text": "fine"}\n']


def test_what_comes_late_is_killed_with_its_renderer(renderer: Renderer) -> None:
    answer = renderer.ask(request(ENDLESS, cpu=30), 0.5)
    assert (answer.status, answer.late, answer.lines) == (None, True, [])
    assert ended(renderer.process.pid)


def test_nothing_is_left_for_the_next_request() -> None:
    changes = "{% set _ = joiner.__init__ %}{% set ns = namespace(x=1) %}{% set x = 'left' %}{{ x }}"
    for _ in range(2):
        first, second = render_all({"a": changes, "b": "{{ x }}{{ ns }}"}, [Job("a", {}), Job("b", {})])
        assert (first.text, second.text) == ("left", "")


def test_a_renderer_that_has_gone_is_replaced() -> None:
    assert ask(request("one"), 20).lines == [b'{"text": "one"}\n']
    idle = renderers._IDLE[-1]
    idle.kill()
    assert ended(idle.process.pid)
    assert ask(request("two"), 20).lines == [b'{"text": "two"}\n']
    assert idle not in renderers._IDLE


def test_threads_ask_at_the_same_time() -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda number: ask(request("{{ x }}", x=number), 20).lines, range(20))
        assert [json.loads(lines[0])["text"] for lines in answers] == [str(number) for number in range(20)]


def test_an_interrupt_ends_the_rendering(renderer: Renderer) -> None:
    timer = threading.Timer(0.5, signal.pthread_kill, [threading.get_ident(), signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        renderer.ask(request(ENDLESS, cpu=30), 25)
    assert ended(renderer.process.pid)


def test_renderers_end_with_the_one_who_asks() -> None:
    code = (
        "import sys; from pipeline.lint import renderers;"
        f" renderers.ask({request('x')!r}, 20); print(renderers._IDLE[0].process.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        os.kill(pid, 0)
        process.kill()
    assert ended(pid)


def test_templates_beyond_all_bounds_are_not_even_sent() -> None:
    (found,) = render_all({"t": "x" * (5 << 20)}, [Job("t", {})])
    assert (found.kind, found.text) == ("limit", None) and "characters" in found.error


def test_all_prompts_together_are_bounded() -> None:
    found = render_all({"t": "{{ 'x' * 4000000 }}"}, [Job("t", {})] * 6)
    assert [item.kind for item in found] == [""] * 4 + ["limit"] * 2


@pytest.mark.parametrize(
    "code",
    [
        "open('/etc/passwd')",
        "open('{}', 'w')",
        "__import__('os').system('touch {}')",
        "__import__('os').fork()",
        "__import__('socket').socket()",
        "__import__('subprocess').run(['true'])",
        "__import__('os').listdir('/')",
        "__import__('resource').setrlimit(0, (9, 9))",
        "__import__('ctypes').CDLL(None)",
    ],
)
def test_what_gets_out_of_the_sandbox_gets_no_further(code: str, tmp_path: Path) -> None:
    """As if the sandbox had a hole: the guard of the process stands behind it."""
    folder = Path(renderers.__file__).parent
    run = (
        f"import sys; sys.path[:0] = [{str(folder)!r}]; import render_server as server, linecache\n"
        f"server.limit(1 << 30, 5); server.guard(); linecache.getlines({renderers.__file__!r})\n"
        f"try: {code.format(tmp_path / 'made')}\n"
        "except PermissionError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, timeout=20)
    assert "beyond its sandbox" in done.stdout, done.stderr
    assert not (tmp_path / "made").exists()
