"""Our scorer as a model of the LM Evaluation Harness, so that its tasks run on GGUF files at our speed.

Nothing is generated here: what the tasks want written is handed out as ``Wanted``, and comes back as answers of the locked
llama-server. So the harness, which runs tasks' own code, is never told where that server is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pipeline.core.canonical import digest_of
from pipeline.core.progress import Progress
from pipeline.runtime.packing import Group, Tokens, common_prefix

if TYPE_CHECKING:
    from pipeline.runtime.binding import Scorer

LONGEST = 4096  # tokens of a window of a rolling log-likelihood


class Wanted(Exception):
    """The tasks want these texts continued; ``requests`` are bodies for ``/v1/completions``, by digest."""

    def __init__(self, requests: dict[str, dict[str, Any]]) -> None:
        super().__init__(f"{len(requests)} texts to continue")
        self.requests = requests


@cache
def model_class() -> type[Any]:
    """Return the class; the harness is imported only now."""
    from lm_eval.api.model import LM

    class Packed(LM):  # type: ignore[misc, unused-ignore]
        """Requests of the harness, packed."""

        def __init__(self, scorer: Scorer, answers: Mapping[str, str], progress: Progress) -> None:
            super().__init__()
            self._scorer, self._answers, self._progress = scorer, answers, progress

        def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
            """Return, for each (context, continuation), its log-probability, and whether it is the greedy one."""
            pairs = [request.args for request in requests]
            return likelihoods(self._scorer, pairs, self._progress)

        def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
            """Return the log-probability of each whole text."""
            return rolling(self._scorer, [request.args[0] for request in requests], self._progress)

        def generate_until(self, requests: Sequence[Any]) -> list[str]:
            """Return what llama-server wrote after each context, cut at the first of its stop texts."""
            bodies = [body_of(*request.args) for request in requests]
            keys = [str(digest_of(body)) for body in bodies]
            missing = {key: body for key, body in zip(keys, bodies, strict=True) if key not in self._answers}
            if missing:
                raise Wanted(missing)
            return [cut(self._answers[key], body.get("stop", [])) for key, body in zip(keys, bodies, strict=True)]

    return Packed


def likelihoods(scorer: Scorer, pairs: Sequence[tuple[str, str]], progress: Progress) -> list[tuple[float, bool]]:
    """Score continuations after their contexts, those of one context together. What is too long loses its beginning, as in
    the harness."""
    from pipeline.runtime.readers import Greedy

    groups, cut_short = [], 0
    for context, same in groupby(pairs, key=lambda pair: pair[0]):
        for group in _groups(scorer, context, [continuation for _, continuation in same]):
            over = group.length - scorer.trained_context
            cut_short += over > 0
            groups.append(Group(group.prefix[over:], group.suffixes) if 0 < over < len(group.prefix) else group)
    if cut_short:
        progress.note(f"{cut_short} contexts are longer than the model's, and lost their beginning")
    results: list[tuple[float, bool]] = []
    with progress.task("scoring", len(pairs), "texts") as task:
        for group, rows in scorer.read(groups, Greedy()):
            at = 0
            for suffix in group.suffixes:
                part = rows[at : at + len(suffix)]
                results.append((float(part[:, 0].sum()), bool(part[:, 1].all())))
                at += len(suffix)
            task.advance(len(group.suffixes))
    return results


def _groups(scorer: Scorer, context: str, continuations: Sequence[str]) -> list[Group]:
    """Return the continuations as groups, each split by itself where it leaves the context's own tokens, as the harness
    splits: neighbours that split alike share a group."""
    first = (scorer.bos if scorer.bos is not None else scorer.eos,)
    own = scorer.tokenize(context) or first
    wholes = [scorer.tokenize(context + continuation) for continuation in continuations]
    wholes = [whole if context or whole[:1] == first else first + whole for whole in wholes]
    splits = [max(1, min(common_prefix([own, whole]), len(whole) - 1)) for whole in wholes]
    made = []
    for split, same in groupby(zip(splits, wholes, strict=True), key=lambda pair: pair[0]):
        together = [whole for _, whole in same]
        made.append(Group(together[0][:split], tuple(whole[split:] for whole in together)))
    return made


def rolling(scorer: Scorer, texts: Sequence[str], progress: Progress) -> list[float]:
    """Return the log-probability of each text, every token of it once, given as much before it as one window holds."""
    owners = [(number, group) for number, text in enumerate(texts) for group in _windows(scorer, text)]
    totals = [0.0] * len(texts)
    with progress.task("scoring texts", len(owners), "windows") as task:
        for (number, _), scores in zip(owners, scorer.score(group for _, group in owners), strict=True):
            totals[number] += sum(scores[0])
            task.advance(1)
    return totals


def _windows(scorer: Scorer, text: str) -> list[Group]:
    tokens = scorer.tokenize(text, bos=False)
    size = min(scorer.trained_context, LONGEST) - 1
    before: Tokens = (scorer.bos if scorer.bos is not None else scorer.eos,)
    groups = []
    for start in range(0, len(tokens), size):
        end = min(start + size, len(tokens))
        # The last window is as long as the others: it begins with tokens that an earlier one has scored.
        context = (before + tokens)[max(0, end - size) : start + 1]
        groups.append(Group(context, (tokens[start:end],)))
    return groups


def body_of(context: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request for llama-server from the harness's own words. Greedy unless the task asks to sample."""
    until = options.get("until") or []
    stop = [until] if isinstance(until, str) else list(until)
    sampled = bool(options.get("do_sample")) and float(options.get("temperature") or 0) > 0
    limit = options.get("max_gen_toks") or options.get("max_new_tokens") or options.get("max_tokens") or 256
    return {
        "prompt": context,
        "max_tokens": int(limit),
        "temperature": float(options.get("temperature") or 0) if sampled else 0.0,
        **({"top_p": float(options["top_p"])} if sampled and "top_p" in options else {}),
        **({"stop": stop} if stop else {}),
    }


def cut(text: str, stop: Sequence[str]) -> str:
    """Return a text up to the first of some others in it."""
    for end in stop:
        text = text.split(end)[0] if end else text
    return text
