"""Write pairs.jsonl: answers in the world of tiny-chat, each with the conversation before it, as its template renders
them.

    python evals/tiny-text/generate.py

Names and cities are the real ones that training never sees, and the seed is none of training's. The same dialogues.py
and template give the same bytes.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import jinja2.sandbox

HERE = Path(__file__).parent
MODEL = HERE.parents[1] / "models" / "tiny-chat"
sys.path.insert(0, str(MODEL))

import dialogues  # noqa: E402

END = "<|im_end|>"
EACH = 12
MAKERS = (
    dialogues.single_call,
    dialogues.parallel_calls,
    dialogues.no_tool_fits,
    dialogues.small_talk,
    dialogues.fact,
    dialogues.one_letter,
    dialogues.copying,
    dialogues.arithmetic,
    dialogues.persona,
)


def pairs() -> list[dict[str, str]]:
    """Return one pair for every assistant turn of ``EACH`` dialogues of each kind."""
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment()
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    template = environment.from_string((MODEL / "chat_template.jinja").read_text())
    made = []
    for make in MAKERS:
        words = dialogues.Words(random.Random(f"tiny-text {make.__name__}"), held_out=True)
        for number in range(1, EACH + 1):
            dialogue = make(words)
            for turn, message in enumerate(dialogue.messages):
                if message["role"] != "assistant":
                    continue
                context, whole = (
                    template.render(messages=messages, tools=dialogue.tools, add_generation_prompt=prompt)
                    for messages, prompt in ((dialogue.messages[:turn], True), (dialogue.messages[: turn + 1], False))
                )
                answer = whole.removeprefix(context).removesuffix("\n")
                assert whole.startswith(context) and answer.endswith(END)
                made.append({"id": f"{make.__name__}-{number:02d}-{turn}", "context": context, "continuation": answer})
    return made


if __name__ == "__main__":
    text = "".join(json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs())
    (HERE / "pairs.jsonl").write_text(text)
