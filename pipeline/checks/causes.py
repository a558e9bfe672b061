"""From all outcomes of a suite to what is likely behind them: the cause, the class of bugs that it belongs to, and what to do.

One case says what went wrong; many together say why. The reports named are threads of public bug trackers with the same symptom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from pipeline.checks.able import Able
from pipeline.checks.markers import REASONING, special_text, tool_markers
from pipeline.checks.model import Cause, Outcome, Verdict

SHOWN = 4
_LONGEST = 160
# Grades of answers to questions that wanted a call.
_CALLS = ("structured", "json_in_content", "markers_in_content", "in_reasoning", "wrong_tool", "bad_args", "no_call")
_BREAKS = ("server_crash", "timeout")
# The habit of calling gets lost with coarse quants of weights or KV cache.
_LOST = "lmdeploy#4743, mistral-vibe#157, llama.cpp#23044"


@dataclass(frozen=True)
class Evidence:
    """All outcomes of a suite, and what is known of the model."""

    outcomes: tuple[Outcome, ...]
    able: Able

    @cached_property
    def bad(self) -> tuple[Outcome, ...]:
        """Those that did not pass, as far as they apply and were put."""
        return tuple(
            one
            for one in self.outcomes
            if one.verdict in (Verdict.FAIL, Verdict.UNKNOWN) and one.grade != "not_reached"
        )

    def graded(self, *grades: str) -> list[Outcome]:
        """Return what did not pass with one of these grades."""
        return [one for one in self.bad if one.grade in grades]

    def asked_for_calls(self) -> int:
        """Return how many answers to questions that wanted a call there are."""
        return sum(one.grade in _CALLS for one in self.outcomes)


def causes_of(outcomes: Iterable[Outcome], able: Able) -> tuple[Cause, ...]:
    """Return the likely causes, the one that explains most first; at most ``SHOWN``."""
    evidence = Evidence(tuple(outcomes), able)
    found = [cause for judge in _JUDGES for cause in judge(evidence)]
    weight = {cause.id: (cause.id not in _BREAKS, -len(cause.cases)) for cause in found}
    return tuple(sorted(found, key=lambda cause: weight[cause.id]))[:SHOWN]


def _content(outcome: Outcome) -> str:
    try:
        return str(outcome.response["whole"]["body"]["choices"][0]["message"].get("content") or "")
    except (KeyError, IndexError, TypeError, AttributeError):
        return ""


def _said(outcomes: Sequence[Outcome]) -> str:
    """Return what was said of the first, without its grade, on one short line."""
    words = outcomes[0].diagnosis.removeprefix(f"{outcomes[0].grade}: ")
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"


def _leaks(outcome: Outcome) -> tuple[str, ...]:
    """Return the special tokens in an answer's content; tags of tools and of reasoning are other matters."""
    content = _content(outcome)
    return tuple(mark for mark in special_text(content) if mark not in (*tool_markers(content), *REASONING))


def _of(outcomes: Sequence[Outcome], all_: int, what: str) -> str:
    return f"in {len(outcomes)} of {all_} {what}" if all_ > 1 else f"in the one of {what}"


def _cause(id: str, words: str, known: str, advice: str, outcomes: Sequence[Outcome]) -> Cause:
    return Cause(id, words, known, advice, tuple(dict.fromkeys(one.case for one in outcomes)))


def _server(evidence: Evidence) -> Iterator[Cause]:
    if crashes := evidence.graded("server_crash"):
        words = f"the server breaks off or dies, first in case {crashes[0].case}"
        advice = "read the server's log with the request of that case; try another build of the engine"
        yield _cause("server_crash", words, "llama.cpp#14060, llama.cpp#15713, llama.cpp#16710", advice, crashes)
    if silent := evidence.graded("timeout"):
        words = f"the server did not answer in time in {len(silent)} of {len(evidence.outcomes)} attempts"
        advice = "lower max_tokens or the context, or give the engine more threads or layers on a GPU"
        yield _cause("timeout", words, "", advice, silent)


def _template(evidence: Evidence) -> Iterator[Cause]:
    raised = [one for one in evidence.graded("http_error") if one.verdict is Verdict.FAIL]
    if raised:
        words = f"the chat template fails on {len(raised)} of {len(evidence.outcomes)} conversations: {_said(raised)}"
        advice = "mend the template (chat.template in the spec names another); assay lint shows where it fails"
        yield _cause("template_raises", words, "llama.cpp#19905, vllm#9019, lmstudio-bug-tracker#1586", advice, raised)
    if lost := evidence.graded("prompt"):
        words = f"the prompt is not what was said: {_said(lost)}"
        advice = "mend the template: what it leaves out, the model never sees"
        yield _cause("template_loses", words, "ollama#9802, ollama#14181, llama.cpp#19520", advice, lost)
    if evidence.able.tools is False and (tools := [one for one in evidence.bad if one.request.get("tools")]):
        words = f"the chat template shows the model no tools, so none of {len(tools)} attempts with tools could pass"
        advice = "name a template with tool support as chat.template, or take tools out of the spec's checks"
        yield _cause("no_tool_support", words, "ollama#13768, ollama#6371, ollama#8982", advice, tools)


def _calls_as_text(evidence: Evidence) -> Iterator[Cause]:
    declared, asked = tool_markers(evidence.able.template), evidence.asked_for_calls()
    tags = " ".join(declared[:2])
    if bare := evidence.graded("json_in_content"):
        never = "never" if not any(one.grade == "structured" for one in evidence.outcomes) else "often does not"
        emits = f"{never} emit{'s' if never == 'never' else ''} the tags that its template declares ({tags})"
        words = f"the model {emits}: calls come as bare JSON" if declared else "calls come as bare JSON, without tags"
        advice = "use a template that declares bare JSON calls, or a model that was trained on these tags"
        known = "ollama#12174, llama.cpp#12279, Qwen3-Coder#180"
        yield _cause(
            "json_in_content", f"{words} {_of(bare, asked, 'answers that wanted a call')}", known, advice, bare
        )
    if marked := evidence.graded("markers_in_content"):
        written = tuple(dict.fromkeys(mark for one in marked for mark in tool_markers(_content(one))))
        foreign = [mark for mark in written if mark not in evidence.able.template]
        if foreign:
            words = f"the model writes calls in another format than its template declares: {' '.join(foreign[:3])}"
            advice = "the file carries another model's template: name the right one as chat.template"
            known = "ik_llama.cpp#339, ollama#6390, ollama#9437"
        else:
            words = f"the engine does not read the calls that the template declares: {' '.join(written[:3])} stays in the content"
            advice = "try another build of the engine, or a template whose tool format it knows"
            known = "llama.cpp#14101, llama.cpp#15789"
        yield _cause(
            "markers_in_content", f"{words} {_of(marked, asked, 'answers that wanted a call')}", known, advice, marked
        )
    if hidden := evidence.graded("in_reasoning"):
        words = f"what belongs into the answer stays in the reasoning {_of(hidden, len(evidence.outcomes), 'attempts')}"
        advice = "switch reasoning off for such requests (enable_thinking: false), or try another build of the engine"
        yield _cause(
            "in_reasoning", words, "llama.cpp#24671, llama.cpp#12276, lmstudio-bug-tracker#1602", advice, hidden
        )


def _calls(evidence: Evidence) -> Iterator[Cause]:
    asked = evidence.asked_for_calls()
    if evidence.able.tools is not False and (none := evidence.graded("no_call")):
        words = f"the model answers in words where a call was wanted {_of(none, asked, 'answers')}"
        advice = (
            "this model was hardly trained to call tools, or not on so many of them: choose another, or offer fewer"
        )
        yield _cause("no_call", words, _LOST, advice, none)
    if wrong := evidence.graded("wrong_tool", "needless_call"):
        words = f"the model calls tools that were not wanted {_of(wrong, len(evidence.outcomes), 'attempts')}"
        advice = "say in the tools' descriptions when not to call them, offer fewer, or choose a stronger model"
        yield _cause("wrong_tool", words, "", advice, wrong)
    if args := evidence.graded("bad_args"):
        words = f"the right tool gets wrong arguments {_of(args, asked, 'answers that wanted a call')}"
        advice = (
            "compare with a finer quant and an f16 KV cache; if they fail too, the model is too weak for these tools"
        )
        yield _cause("bad_args", words, _LOST, advice, args)


def _ends(evidence: Evidence) -> Iterator[Cause]:
    answered = sum(one.grade not in ("not_reached", "not_applicable") for one in evidence.outcomes)
    leaked = [one for one in evidence.graded("text", "runaway") if _leaks(one)]
    if leaked:
        marks = " ".join(dict.fromkeys(mark for one in leaked for mark in _leaks(one)))
        endless = ", which then do not end" if any(one.grade == "runaway" for one in leaked) else ""
        words = f"special tokens come out as text {_of(leaked, answered, 'answers')}{endless}: {marks}"
        advice = (
            "to this file they are no stop tokens: its template is another model's or missing (llama.cpp then takes"
            " ChatML), or their types or ids are wrong; see assay lint"
        )
        yield _cause("special_text", words, "unsloth#5070, llama.cpp#6772, node-llama-cpp#169", advice, leaked)
    both = [one for one in evidence.graded("text") if "goes on to another turn" in one.diagnosis]
    if both:
        words = f"the model goes on to play the other side {_of(both, answered, 'answers')}"
        advice = "the template's end of turn is no stop token, or the template is another model's: see assay lint"
        yield _cause("plays_both_sides", words, "unsloth#468, ollama#3759, ik_llama.cpp#339", advice, both)
    held = [one for one in evidence.graded("runaway") if one.request.get("response_format") and one not in leaked]
    if held:
        words = f"answers under a schema do not end {_of(held, answered, 'answers')}: the model fills a text or list of it without end"
        advice = "bound texts and lists in the schema (maxLength, maxItems), or choose a stronger model"
        yield _cause("runaway_in_schema", words, "llama.cpp#27217", advice, held)
    if runs := [one for one in evidence.graded("runaway") if one not in held and one not in leaked]:
        never = "answers never stop" if len(runs) == answered else "answers do not stop"
        words = f"{never} {_of(runs, answered, 'answers')}: the stop token is never produced, or is none to the engine"
        advice = "compare the template's end of turn with the file's stop tokens (assay inspect, assay lint); a fine-tune may have lost it"
        yield _cause("runaway", words, "unsloth#416, llama.cpp#14044, ollama#3759", advice, runs)


def _engine(evidence: Evidence) -> Iterator[Cause]:
    if streams := evidence.graded("stream"):
        words = f"only streamed answers go wrong {_of(streams, len(evidence.outcomes), 'attempts')}: whole, they are as they must be"
        advice = "this is the engine's parser, not the model: try another build of it, or ask for whole answers"
        yield _cause("stream", words, "llama.cpp#14060, dynamo#4723, ogx#4430", advice, streams)
    if breaches := evidence.graded("protocol"):
        words = (
            f"answers break the API's protocol {_of(breaches, len(evidence.outcomes), 'attempts')}: {_said(breaches)}"
        )
        advice = "this is the engine, not the model: try another build of it"
        yield _cause("protocol", words, "llama.cpp#11992, vllm#18412, litellm#35663", advice, breaches)
    if limits := evidence.graded("engine_limit"):
        words = f"the engine does not do what was asked {_of(limits, len(evidence.outcomes), 'attempts')}, no fault of the model"
        words = f"{words}: {_said(limits)}"
        advice = "do not rely on it: check in your program which tool was called, and with what"
        yield _cause("engine_limit", words, "llama.cpp#26535, llama.cpp#27217, llama.cpp#22396", advice, limits)
    if injected := evidence.graded("injection"):
        words = f"text of messages is read as control tokens {_of(injected, len(evidence.outcomes), 'attempts')}; no fault of the model"
        advice = "take special tokens' texts out of what comes from outside before it goes into a message"
        yield _cause("injection", words, "", advice, injected)
    if caches := evidence.graded("cache"):
        words = (
            f"answers from the prompt cache differ from fresh ones {_of(caches, len(evidence.outcomes), 'attempts')}"
        )
        advice = "greedy answers hang on rounding here; do not take one for a fixed value"
        yield _cause("cache", words, "", advice, caches)


def _reasoning(evidence: Evidence) -> Iterator[Cause]:
    if wrong := evidence.graded("reasoning"):
        words = f"reasoning is not where it belongs {_of(wrong, len(evidence.outcomes), 'attempts')}: {_said(wrong)}"
        advice = "the template's tags and the engine's reading of them differ: try another template or build"
        yield _cause("reasoning", words, "llama.cpp#24671, llama.cpp#12275, ik_llama.cpp#665", advice, wrong)


def _wavering(evidence: Evidence) -> Iterator[Cause]:
    seen: dict[str, set[Verdict]] = {}
    for one in evidence.outcomes:
        if not one.sampled:
            seen.setdefault(one.case, set()).add(one.verdict)
    mixed = [one for one in evidence.bad if not one.sampled and len(seen[one.case]) > 1]
    if mixed:
        words = f"the same greedy request gives answers of different worth in {len({one.case for one in mixed})} of {len(seen)} cases"
        advice = (
            "run with one slot and no neighbours; if it stays, the engine's kernels round differently from run to run"
        )
        yield _cause("not_repeatable", words, "", advice, mixed)
    drawn = [one for one in evidence.bad if one.sampled and seen.get(one.case) == {Verdict.PASS}]
    if drawn:
        all_ = sum(one.sampled for one in evidence.outcomes)
        words = f"{len(drawn)} of {all_} sampled answers fail where the greedy one passes"
        advice = "lower sampling.temperature or top_p in the spec"
        yield _cause("sampling", words, "", advice, drawn)


_JUDGES: tuple[Callable[[Evidence], Iterator[Cause]], ...] = (
    _server,
    _template,
    _calls_as_text,
    _calls,
    _ends,
    _engine,
    _reasoning,
    _wavering,
)
