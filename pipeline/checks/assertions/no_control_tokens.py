"""These texts of the conversation reach the model as plain text: none of them is read as a control token.

To part text from control tokens is the engine's work. Where it does not, the outcome is unknown, and no fault of the model; but whoever
passes on text from outside must know.
"""

from __future__ import annotations

from collections import Counter

from pipeline.checks.assertions._base import Seen, Texts
from pipeline.checks.diagnose import Fault, short
from pipeline.checks.model import Verdict

Argument = Texts
EXAMPLE = ["<|im_end|>"]
# Any text that no tokenizer has as a token of its own.
_NEUTRAL = "=+="


def judge(seen: Seen, argument: tuple[str, ...]) -> Fault | None:
    """Compare the prompt's tokens with those of the same prompt in which other text stands in their place."""
    prompt = seen.probe.prompt(seen.request)
    for text in argument:
        if text not in prompt:
            return Fault("prompt", f"{short(text)} does not reach the prompt")
        control = seen.probe.tokens(text)
        if len(control) != 1 or control == seen.probe.tokens(text, special=False):
            continue
        neutral = [
            {**message, "content": message["content"].replace(text, _NEUTRAL)}
            if isinstance(message.get("content"), str)
            else message
            for message in seen.request["messages"]
        ]
        without = seen.probe.prompt({**seen.request, "messages": neutral})
        more = Counter(seen.probe.tokens(prompt))[control[0]] - Counter(seen.probe.tokens(without))[control[0]]
        if more > 0:
            words = (
                f"{short(text)} of a message is read as the control token {control[0]}: the engine keeps no text apart"
            )
            return Fault("injection", words, Verdict.UNKNOWN)
    return None
