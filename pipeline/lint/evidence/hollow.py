"""What the real llama-server makes of a file's chat template and vocabulary, on an empty body in place of the weights."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import EngineError
from pipeline.core.scratch import scratch
from pipeline.lint.evidence.requests import GENERATIONS, REQUESTS, Body
from pipeline.lint.evidence.vocabulary import LONGEST
from pipeline.lint.model import UNASKED
from pipeline.lint.probes import PLAIN

if TYPE_CHECKING:
    from pipeline.lint.subject import Subject
    from pipeline.runtime.server import Running

READY_WITHIN, ANSWER_WITHIN = 30.0, 10.0
CONTEXT = 1 << 15
MOST = 8 << 20
COUNTED = ("user", "turns", "system", "as-served")
"""Requests whose prompts are split into tokens, with what the engine adds."""


@dataclass(frozen=True)
class Reply:
    """What the server said to a request: a prompt (``text``), or why there is none (``error``; ``status`` 0 where no answer
    came).
    """

    text: str | None = None
    error: str = ""
    status: int = 0

    @property
    def words(self) -> str:
        """The error without the code around it: the server shows the template, and says what is wrong at the end."""
        return last_words(self.error)


@dataclass(frozen=True)
class Served:
    """What a server said, or why there is nothing: ``missing`` tells what kept us from starting it, ``refusal`` what it said
    as it did not start (``ending`` in words: ``exit code 1``).

    ``replies`` maps the names of ``REQUESTS`` to what it made of them, ``tokens`` some of these to their prompts' tokens,
    BOS included; ``generations`` those of ``GENERATIONS`` to its answers, of which only errors are kept. ``seconds`` is
    how long it took to start, ``lost`` how it died while it was asked ("" if it didn't).
    """

    missing: str = ""
    refusal: tuple[str, ...] = ()
    ending: str = ""
    seconds: float = 0.0
    props: Mapping[str, Any] = field(default_factory=dict)
    replies: Mapping[str, Reply] = field(default_factory=dict)
    tokens: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    generations: Mapping[str, Reply] = field(default_factory=dict)
    lost: str = ""

    @property
    def up(self) -> bool:
        """Whether there is something to judge."""
        return bool(self.replies)

    def text(self, name: str) -> str | None:
        """Return the server's prompt for a request, None where it gave none."""
        return self.replies.get(name, Reply()).text

    @property
    def caps(self) -> Mapping[str, bool]:
        """What the server takes the template to be able to do."""
        return dict(self.props.get("chat_template_caps") or {})


def serve(subject: Subject) -> Served:
    """Start a server and ask it everything. A second or two for a large vocabulary."""
    from pipeline.runtime.hollow import serving, why_not, write_hollow
    from pipeline.runtime.server import NotReady

    if reason := why_not(subject.header):
        return Served(missing=reason)
    if subject.engine is None:
        return Served(missing="there is no engine to ask")
    if reason := exhausting(subject):
        return Served(missing=reason)
    with scratch() as folder:
        path, template = folder / "hollow.gguf", folder / "template.jinja"
        write_hollow(subject.header, path)
        replaced = bool(subject.template) and subject.template != subject.facts.chat_template
        if replaced:
            template.write_text(subject.template or "", encoding="utf-8", newline="")
        try:
            with serving(
                subject.engine,
                path,
                template=template if replaced else None,
                context=CONTEXT,
                ready_within=READY_WITHIN,
            ) as server:
                return _ask(server)
        except NotReady as error:
            said = tuple(errors(error.log)) or (error.message.splitlines()[0],)
            return Served(refusal=said, ending=error.ending)
        except EngineError as error:
            return Served(missing=f"{UNASKED}{error.message.splitlines()[0]}")


def exhausting(subject: Subject) -> str:
    """Say that a template is not given to llama-server, as a plain conversation is too much for it already (A102): that has
    no bounds of its own on rendering, and would be waited for.
    """
    plain = (subject.renderings[name] for name in PLAIN if name in subject.renderings)
    return "the chat template exhausts its limits" if any(one.kind == "limit" for one in plain) else ""


def errors(log: str) -> Iterator[str]:
    """Yield what a server's log says at the level of errors, and what an abort or a C++ exception says."""
    for line in log.splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            if any(sign in line for sign in ("ASSERT", "what():", "terminate called")):
                yield line.strip()[:500]
            continue
        if isinstance(said, dict) and said.get("level") == "error":
            yield str(said.get("msg", "")).strip()


def last_words(said: str) -> str:
    """Return the last line of an error of the server's, which says what is wrong, without what every such error says."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1].rpartition("parser generation failed: ")[2].removeprefix("Error: ")[:300] if lines else ""


def _ask(server: Running) -> Served:
    from pipeline.core.proc import ending

    props = _get(server)
    replies = _replies(server, "/apply-template", REQUESTS)
    answered = all(reply.status for reply in replies.values())
    generations = _replies(server, "/v1/chat/completions", GENERATIONS if answered else {})
    answered = answered and all(reply.status for reply in generations.values())
    shown = {name: text for name in COUNTED if answered and (text := replies[name].text)}
    tokens = {name: _tokens(server, text) for name, text in shown.items()}
    code = server.process.poll()
    return Served(
        seconds=server.load_seconds,
        props=props,
        replies=replies,
        tokens={name: found for name, found in tokens.items() if found},
        generations=generations,
        lost="" if code is None else ending(code),
    )


def _replies(server: Running, path: str, requests: Mapping[str, Body]) -> dict[str, Reply]:
    """Ask one after the other, up to the first that is not answered: the server is gone then, or busy with it."""
    found = dict[str, Reply]()
    for name, body in requests.items():
        found[name] = _reply(server, path, body)
        if not found[name].status:
            break
    return found


def _get(server: Running) -> dict[str, Any]:
    status, content = _said(server, "/props", None)
    said = _json(content)
    return said if status == 200 else {}


def _reply(server: Running, path: str, body: Mapping[str, Any]) -> Reply:
    status, content = _said(server, path, body)
    if not status:
        return Reply(error=content.decode())
    said = _json(content)
    if status == 200:
        return Reply(text=str(said.get("prompt", "")), status=status)
    error = said.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    return Reply(error=str(message or content[:500].decode(errors="replace")), status=status)


def _tokens(server: Running, text: str) -> tuple[int, ...]:
    if len(text) > LONGEST:
        return ()
    _, content = _said(server, "/tokenize", {"content": text, "add_special": True, "parse_special": True})
    found = _json(content).get("tokens")
    return tuple(found) if isinstance(found, list) and all(isinstance(number, int) for number in found) else ()


def _said(server: Running, path: str, body: Mapping[str, Any] | None) -> tuple[int, bytes]:
    """Ask once; return the status and the answer, or 0 and why there is none."""
    import httpx

    if not server.alive():  # connecting would leave a socket open
        return 0, b"the server is gone"
    content = bytearray()
    method = "GET" if body is None else "POST"
    try:
        with server.client.stream(method, path, json=body, timeout=ANSWER_WITHIN) as answer:
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > MOST:
                    return 0, f"the answer grows beyond {MOST >> 20} MiB".encode()
            return answer.status_code, bytes(content)
    except httpx.TimeoutException:
        return 0, f"no answer within {ANSWER_WITHIN:.0f} s".encode()
    except httpx.HTTPError as error:
        return 0, f"the connection broke: {error}".encode()


def _json(content: bytes) -> dict[str, Any]:
    try:
        said = json.loads(content)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
