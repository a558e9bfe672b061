"""Run the cases of a behaviour suite against a server and judge them. Whatever the server does becomes an outcome."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from pipeline.checks.able import Able, able
from pipeline.checks.assertions._base import Seen, assertions
from pipeline.checks.causes import causes_of
from pipeline.checks.conversation import said
from pipeline.checks.diagnose import Fault, short
from pipeline.checks.model import Cause, Outcome, Verdict
from pipeline.checks.probe import NoAnswer, Probe
from pipeline.checks.streamed import differs
from pipeline.checks.suite import Attempt, Case, CheckSuite, load_suite
from pipeline.core.progress import SILENT, Progress
from pipeline.core.search import Unsearchable
from pipeline.runtime.answer import Answer, Trouble
from pipeline.runtime.ask import ask, ask_stream, healthy

__all__ = ["load_suite", "run_suite"]
TIMEOUT_SECONDS = 120.0
# A server may lose one answer; one that is silent twice running is not asked again.
SILENCES = 2
NO_TOOL_SUPPORT = "the chat template has no tool support, so the model never saw the tools"


@dataclass(frozen=True)
class Checked:
    """A suite that was run."""

    outcomes: tuple[Outcome, ...]
    causes: tuple[Cause, ...]


def run_suite(
    suite: CheckSuite,
    client: httpx.Client,
    *,
    model: str,
    sampling: Mapping[str, Any],
    progress: Progress = SILENT,
    timeout: float = TIMEOUT_SECONDS,
) -> Checked:
    """Return the outcomes of all attempts at all cases, in the suite's order, and what is likely behind them. ``client`` has the server's
    base URL and key; ``timeout`` bounds each answer, in seconds. A dead or silent server makes the rest unknown; no error of it is
    raised."""
    probe = Probe(client, timeout)
    run = _Run(suite, probe, model, able(probe))
    attempts = [(case, one) for case in suite.document.cases for one in suite.attempts(case, sampling)]
    outcomes: list[Outcome] = []
    silent, gone = 0, ""
    with progress.task(f"check {suite.name}", total=len(attempts), unit="attempts") as task:
        for case, attempt in attempts:
            lacks = run.able.lacks(case.requires or suite.document.requires)
            if lacks:
                if attempt.number == 1 and not attempt.sampled:
                    outcomes.append(run.outcome(case, attempt, lacks))
            elif gone:
                outcomes.append(run.outcome(case, attempt, Fault("not_reached", gone, Verdict.UNKNOWN)))
            else:
                outcome = run.attempt(case, attempt)
                silent = silent + 1 if outcome.grade == "timeout" else 0
                if not healthy(client):
                    gone = f"the server is gone since case {case.id}"
                    outcome = run.after_crash(outcome)
                elif silent >= SILENCES:
                    gone = f"the server was silent {silent} times running, last in case {case.id}"
                outcomes.append(outcome)
            task.advance()
    return Checked(tuple(outcomes), causes_of(outcomes, run.able))


class _Run:
    """What all cases of one run share."""

    def __init__(self, suite: CheckSuite, probe: Probe, model: str, able: Able) -> None:
        self.suite, self.probe, self.model, self.able = suite, probe, model, able

    def attempt(self, case: Case, attempt: Attempt) -> Outcome:
        """Play the conversation of a case until a turn fails, or to its end."""
        began = time.monotonic()
        messages: list[dict[str, Any]] = [{"role": "system", "content": case.system}] if case.system is not None else []
        answer, called, offered, fault, seen = Answer(), False, False, None, None
        for turn in case.turns:
            more, fault = said(turn, answer)
            if fault:
                break
            messages = [*messages, *more]
            request = {"model": self.model, **self.suite.body(case, turn, attempt.sampling), "messages": messages}
            seen = self.turn(request, attempt.streamed)
            answer = seen.answer
            called, offered = called or bool(answer.calls), offered or bool(seen.tools)
            if fault := self.judge(seen, {**self.suite.document.expect, **turn.expect}):
                break
            messages = [*messages, answer.message()]
        if offered and self.able.tools is False and not called:
            fault = self.untold(fault)
        return self.outcome(case, attempt, fault, seen, time.monotonic() - began)

    def turn(self, request: dict[str, Any], stream: bool) -> Seen:
        answer, streamed = ask(self.probe.client, request, timeout=self.probe.timeout), None
        if stream and not answer.trouble:
            streamed = ask_stream(self.probe.client, request, timeout=self.probe.timeout)
        return Seen(request, answer, streamed, self.probe)

    def judge(self, seen: Seen, expect: Mapping[str, Any]) -> Fault | None:
        """Trouble comes first, then breaches of the protocol, then the assertions in written order, at last whether the answer streams the
        same; failures before unknowns."""
        for answer in filter(None, (seen.answer, seen.streamed)):
            if answer.trouble:
                return _of_trouble(answer.trouble)
        for how, one in (("", seen.answer), ("streamed: ", seen.streamed)):
            if one and one.problems:
                return Fault("protocol", how + "; ".join(one.problems))
        faults = [fault for name, argument in expect.items() if (fault := _judge(name, seen, argument))]
        if seen.streamed and (fault := differs(seen.answer, seen.streamed)):
            faults.append(fault)
        return next((fault for fault in faults if fault.verdict is Verdict.FAIL), faults[0] if faults else None)

    def untold(self, fault: Fault | None) -> Fault:
        """A model that was never told of the tools can't be praised for not calling one."""
        if fault is None:
            return Fault("not_reached", NO_TOOL_SUPPORT, Verdict.UNKNOWN)
        return Fault(fault.grade, f"{fault.words} ({NO_TOOL_SUPPORT})", fault.verdict)

    def after_crash(self, outcome: Outcome) -> Outcome:
        words = f"server_crash: the server does not answer /health after this case; before that: {outcome.diagnosis}"
        crash = {"verdict": Verdict.UNKNOWN, "diagnosis": words, "grade": "server_crash"}
        return Outcome(**{**vars(outcome), **crash})

    def outcome(
        self, case: Case, attempt: Attempt, fault: Fault | None, seen: Seen | None = None, seconds: float = 0.0
    ) -> Outcome:
        response = {"whole": seen.answer.raw} if seen else {}
        if seen and seen.streamed:
            response["stream"] = seen.streamed.raw
        verdict = fault.verdict if fault else Verdict.PASS
        grade, words = (fault.grade, fault.words) if fault else _praise(seen.answer if seen else Answer())
        words = words.replace("\n", " ")  # of arguments as they came
        return Outcome(
            *(self.suite.name, case.group or self.suite.document.group, case.id, verdict, f"{grade}: {words}"),
            request=seen.request if seen else {},
            response=response,
            seconds=seconds,
            grade=grade,
            attempt=attempt.number,
            sampled=attempt.sampled,
        )


def _judge(name: str, seen: Seen, argument: Any) -> Fault | None:
    try:
        return assertions()[name].judge(seen, argument)
    except NoAnswer as error:
        return _of_trouble(error.trouble)
    except Unsearchable as error:
        return Fault("not_reached", str(error), Verdict.UNKNOWN)


def _of_trouble(trouble: Trouble) -> Fault:
    condemns = trouble.template or trouble.grade == "protocol"
    return Fault(trouble.grade, trouble.words, Verdict.FAIL if condemns else Verdict.UNKNOWN)


def _praise(answer: Answer) -> tuple[str, str]:
    if answer.calls and answer.finish_reason != "length":
        return "structured", ", ".join(map(str, answer.calls))
    said = answer.content or ", ".join(map(str, answer.calls))
    return "answered", f"{short(said)}, ended by {answer.finish_reason} after {answer.tokens} tokens"
