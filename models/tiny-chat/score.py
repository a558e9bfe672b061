"""Score tiny-chat on held-out prompts, through llama-server, greedily: the numbers of the model card.

    python models/tiny-chat/score.py [FILE.gguf] [--count 300] [--json]

Names and cities are real ones that training never saw; numbers are of a kind that it never drew. Run from the project's root, with the
project installed. Needs no torch.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from pipeline.core.proc import spawn
from pipeline.runtime.build import find_engine
from pipeline.runtime.params import Listen
from pipeline.runtime.server import wait_ready

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import dialogues  # noqa: E402

SLOTS = 4
SEED = 20261121
Make = Callable[[dialogues.Words], dialogues.Dialogue]
KINDS: dict[str, Make] = {
    "single call": lambda words: dialogues.single_call(words, with_result=False),
    "parallel calls": dialogues.parallel_calls,
    "no tool fits": dialogues.no_tool_fits,
    "result to answer": lambda words: dialogues.single_call(words, with_result=True),
    "facts": dialogues.fact,
    "one letter": dialogues.one_letter,
    "copying": dialogues.copying,
    "arithmetic": dialogues.arithmetic,
    "system turn obeyed": dialogues.persona,
}


@contextmanager
def served(weights: Path) -> Iterator[httpx.Client]:
    """Run llama-server on a private socket, greedily."""
    build = find_engine()
    with tempfile.TemporaryDirectory(prefix="score-") as folder:
        listen = Listen(str(Path(folder) / "x.sock"))
        argv = f"--model {weights} --ctx-size {1024 * SLOTS} --parallel {SLOTS} --no-kv-unified --fit off --load-mode none".split()
        argv += "--cache-ram 0 --no-context-shift --offline --no-ui --jinja --temp 0 --threads 1".split()
        client = httpx.Client(
            transport=httpx.HTTPTransport(uds=listen.host), base_url="http://localhost", timeout=300.0
        )
        with (
            client,
            spawn(
                (str(build.server), *argv, *listen.argv()), env=build.environment, log=Path(folder) / "log"
            ) as server,
        ):
            wait_ready(server, listen, 120.0)
            yield client


def judge(client: httpx.Client, made: dialogues.Dialogue) -> dict[str, bool]:
    """Ask for the last turn of a dialogue and compare the answer with the one it should be."""
    *history, wanted = made.messages
    body: dict[str, Any] = {
        "messages": [_wire(message) for message in history],
        "max_tokens": 200,
        "cache_prompt": False,
    }
    if made.tools:
        body["tools"] = made.tools
    answer = client.post("/v1/chat/completions", json=body, headers={"Connection": "close"}).raise_for_status().json()
    choice = answer["choices"][0]
    message = choice["message"]
    got = [_read(call) for call in message.get("tool_calls") or []]
    want = [(call["function"]["name"], call["function"]["arguments"]) for call in wanted.get("tool_calls", [])]
    said = (message.get("content") or "").strip()
    return {
        "stopped": choice["finish_reason"] in ("stop", "tool_calls"),
        "right tools": [name for name, _ in got] == [name for name, _ in want],
        "exact": got == want and (bool(want) or said == wanted["content"]),
    }


def _wire(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message as OpenAI's API has it: arguments as a string, ids on calls."""
    if "tool_calls" not in message:
        return {**message, "tool_call_id": "call0"} if message["role"] == "tool" else message
    calls = [
        {
            "id": f"call{i}",
            "type": "function",
            "function": {**call["function"], "arguments": json.dumps(call["function"]["arguments"])},
        }
        for i, call in enumerate(message["tool_calls"])
    ]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def _read(call: dict[str, Any]) -> tuple[str, Any]:
    try:
        return call["function"]["name"], json.loads(call["function"]["arguments"])
    except ValueError:
        return call["function"]["name"], None


def score(weights: Path, count: int) -> dict[str, dict[str, float]]:
    """Return, for each kind, the share of answers that stopped, named the right tools, and were exact."""
    table = {}
    with served(weights) as client, ThreadPoolExecutor(SLOTS) as pool:
        for kind, make in KINDS.items():
            words = dialogues.Words(random.Random(f"{SEED}/{kind}"), held_out=True)
            prompts = [make(words) for _ in range(count)]
            totals = Counter(
                key
                for result in pool.map(lambda made: judge(client, made), prompts)
                for key, ok in result.items()
                if ok
            )
            table[kind] = {key: totals[key] / count for key in ("stopped", "right tools", "exact")}
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="?", type=Path, default=HERE / "tiny-chat-q8_0.gguf")
    parser.add_argument("--count", type=int, default=300, help="prompts of each kind")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    table = score(options.weights.resolve(), options.count)
    if options.json:
        print(json.dumps(table, indent=2))
        return
    print(f"| {options.count} held-out prompts each | stopped | right tools | exact |\n|---|---|---|---|")
    for kind, row in table.items():
        print(f"| {kind} | " + " | ".join(f"{value:.1%}" for value in row.values()) + " |")


if __name__ == "__main__":
    main()
