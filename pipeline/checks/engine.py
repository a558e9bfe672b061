"""Run the cases of a behaviour suite against a server and judge them. Whatever the server does becomes an outcome."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import httpx

from pipeline.checks.assertions._base import Seen, assertions, wants_stream
from pipeline.checks.diagnose import Fault, short
from pipeline.checks.model import Outcome, Verdict
from pipeline.checks.suite import Case, CheckSuite, Turn, load_suite
from pipeline.core.progress import SILENT, Progress
from pipeline.runtime.answer import Answer
from pipeline.runtime.ask import ask, ask_stream, healthy, template_caps

__all__ = ["load_suite", "run_suite"]
TIMEOUT_SECONDS = 120.0
# A server may lose one answer; one that is silent twice running is not asked again.
SILENCES = 2
NO_TOOL_SUPPORT = "the chat template has no tool support, so the model never saw the tools"


def run_suite(
    suite: CheckSuite,
    client: httpx.Client,
    *,
    model: str,
    sampling: Mapping[str, Any],
    progress: Progress = SILENT,
    timeout: float = TIMEOUT_SECONDS,
) -> tuple[Outcome, ...]:
    """Return one outcome a case, in the suite's order. ``client`` has the server's base URL and key; ``timeout`` bounds each answer, in
    seconds. A dead or silent server makes the rest unknown; no error of it is raised."""
    caps = template_caps(client)
    run = _Run(
        suite,
        client,
        model,
        sampling,
        timeout,
        caps.get("supports_tools"),
    )
    outcomes: list[Outcome] = []
    silent, gone = 0, ""
    with progress.task(f"check {suite.name}", total=len(suite.document.cases), unit="cases") as task:
        for case in suite.document.cases:
            if gone:
                outcomes.append(run.outcome(case, Fault("not_reached", gone, Verdict.UNKNOWN)))
            else:
                outcome = run.case(case)
                silent = silent + 1 if outcome.diagnosis.startswith("timeout:") else 0
                if not healthy(client):
                    gone = f"the server is gone since case {case.id}"
                    outcome = run.after_crash(outcome)
                elif silent >= SILENCES:
                    gone = f"the server was silent {silent} times running, last in case {case.id}"
                outcomes.append(outcome)
            task.advance()
    return tuple(outcomes)


class _Run:
    """What all cases of one run share."""

    def __init__(
        self,
        suite: CheckSuite,
        client: httpx.Client,
        model: str,
        sampling: Mapping[str, Any],
        timeout: float,
        tool_support: bool | None,
    ) -> None:
        self.suite, self.client, self.model, self.sampling, self.timeout = suite, client, model, sampling, timeout
        self.tool_support = tool_support

    def case(self, case: Case) -> Outcome:
        """Play the conversation of a case until a turn fails, or to its end."""
        began = time.monotonic()
        body = {"model": self.model, **self.suite.body(case, self.sampling)}
        messages: list[dict[str, Any]] = [{"role": "system", "content": case.system}] if case.system is not None else []
        answer, called, fault, seen = Answer(), False, None, None
        for turn in case.turns:
            said, fault = _said(turn, answer)
            if fault:
                break
            messages = [*messages, *said]
            seen = self.turn({**body, "messages": messages}, {**self.suite.document.expect, **turn.expect})
            answer = seen.answer
            called = called or bool(answer.calls)
            if fault := self.judge(seen, {**self.suite.document.expect, **turn.expect}):
                break
            messages = [*messages, answer.message()]
        if case.tools and self.tool_support is False and not called:
            fault = self.untold(fault)
        return self.outcome(case, fault, seen, time.monotonic() - began)

    def turn(self, request: dict[str, Any], expect: Mapping[str, Any]) -> Seen:
        answer = ask(self.client, request, timeout=self.timeout)
        streamed = None
        if not answer.trouble and any(map(wants_stream, expect)):
            streamed = ask_stream(self.client, request, timeout=self.timeout)
        return Seen(request, answer, streamed)

    def judge(self, seen: Seen, expect: Mapping[str, Any]) -> Fault | None:
        """Trouble comes first, then breaches of the protocol, then the assertions in written order; failures before unknowns."""
        for answer in filter(None, (seen.answer, seen.streamed)):
            if answer.trouble:
                verdict = (
                    Verdict.FAIL if answer.trouble.template or answer.trouble.grade == "protocol" else Verdict.UNKNOWN
                )
                return Fault(answer.trouble.grade, answer.trouble.words, verdict)
        for how, one in (("", seen.answer), ("streamed: ", seen.streamed)):
            if one and one.problems:
                return Fault("protocol", how + "; ".join(one.problems))
        faults = [fault for name, argument in expect.items() if (fault := assertions()[name].judge(seen, argument))]
        return next((fault for fault in faults if fault.verdict is Verdict.FAIL), faults[0] if faults else None)

    def untold(self, fault: Fault | None) -> Fault:
        """A model that was never told of the tools can't be praised for not calling one."""
        if fault is None:
            return Fault("not_reached", NO_TOOL_SUPPORT, Verdict.UNKNOWN)
        return Fault(fault.grade, f"{fault.words} ({NO_TOOL_SUPPORT})", fault.verdict)

    def after_crash(self, outcome: Outcome) -> Outcome:
        words = f"server_crash: the server does not answer /health after this case; before that: {outcome.diagnosis}"
        return Outcome(**{**vars(outcome), "verdict": Verdict.UNKNOWN, "diagnosis": words})

    def outcome(self, case: Case, fault: Fault | None, seen: Seen | None = None, seconds: float = 0.0) -> Outcome:
        response = {"whole": seen.answer.raw} if seen else {}
        if seen and seen.streamed:
            response["stream"] = seen.streamed.raw
        verdict = fault.verdict if fault else Verdict.PASS
        words = str(fault) if fault else _praise(seen.answer) if seen else ""
        group = case.group or self.suite.document.group
        return Outcome(self.suite.name, group, case.id, verdict, words, seen.request if seen else {}, response, seconds)


def _said(turn: Turn, before: Answer) -> tuple[list[dict[str, Any]], Fault | None]:
    """Return the messages of a turn. Results answer the calls that the server made, with the ids that it gave."""
    if turn.user is not None:
        return [{"role": "user", "content": turn.user}], None
    results = turn.results or ()
    if len(before.calls) != len(results):
        return [], Fault("not_reached", f"{len(results)} results wait for {len(before.calls)} calls", Verdict.UNKNOWN)
    said = []
    for call, result in zip(before.calls, results, strict=True):
        content = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
        said.append({"role": "tool", "tool_call_id": call.id, "name": call.name, "content": content})
    return said, None


def _praise(answer: Answer) -> str:
    if answer.calls:
        return f"structured: {', '.join(map(str, answer.calls))}"
    return f"answered: {short(answer.content)}, ended by {answer.finish_reason} after {answer.tokens} tokens"
