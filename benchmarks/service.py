"""Hold the service layer of `assay bench` against llama-benchy: the same llama-server, in turns, the same prompt and answer lengths.

The two can't time the same requests, and a machine's speed moves between one side's and the other's. So both are held to a third:
the times that llama-server logs of every request. A side's figure over the server's for that side's own requests is what the tool
adds or leaves out, whatever the machine did meanwhile. The ratio of the two sides' shares, round by round, must lie within 3 % with
its whole 95 % interval, for the time to first token and for the decode rate; else the exit code is 1. The ratio of the bare figures
is printed beside. Needs a Python that has llama-benchy and tokenizers; the model's vocabulary must be BPE as GPT-2 has
it, as tiny-chat's is. Nothing leaves this machine: the book that llama-benchy takes its prompts from is served here.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from _measure import Pairs, told

from pipeline.bench.service import service_rows
from pipeline.bench.stats import median, spread
from pipeline.core.host import hardware
from pipeline.core.proc import spawn
from pipeline.gguf.header import read_header
from pipeline.runtime.build import EngineBuild, find_engine
from pipeline.runtime.params import Listen
from pipeline.runtime.server import wait_ready
from pipeline.spec.model import Bench
from tests.projects import free_port

ROOT = Path(__file__).parent.parent
TINY_CHAT = ROOT / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"
TEXT = ROOT / "evals" / "long-text" / "text.txt"
AGREE = 0.03
SIDES = ("assay", "llama-benchy")
FIGURES = ("TTFT, ms", "decode, tok/s")
# Writes the tokenizer that llama-benchy counts prompts with.
TOKENIZER = """\
import json, sys
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
said = json.load(sys.stdin)
vocab = {token: number for number, token in enumerate(said["tokens"])}
made = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(merge.split(" ", 1)) for merge in said["merges"]]))
made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
made.add_special_tokens([AddedToken(token, normalized=False) for token in said["special"]])
made.save(sys.argv[1])
"""
CONTROL = 3  # the token type of special tokens
# What llama-server logs of each request: milliseconds and tokens of prefill, then of decode.
TIMED = re.compile(rb"prompt eval time = +([\d.]+) ms / +(\d+) tokens.*\n.*?\beval time = +([\d.]+) ms / +(\d+) tokens")


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, format: str, *args: object) -> None:
        pass


def tokenizer(python: Path, model: Path, folder: Path) -> Path:
    """Write ``tokenizer.json`` of a model's vocabulary."""
    metadata = read_header(model).metadata
    tokens, kinds = list(metadata["tokenizer.ggml.tokens"]), metadata["tokenizer.ggml.token_type"]
    special = [token for token, kind in zip(tokens, kinds, strict=True) if kind == CONTROL]
    said = {"tokens": tokens, "merges": list(metadata["tokenizer.ggml.merges"]), "special": special}
    subprocess.run([python, "-c", TOKENIZER, folder / "tokenizer.json"], input=json.dumps(said), text=True, check=True)
    return folder


def by_benchy(python: Path, url: str, folder: Path, book: str, bench: Bench) -> tuple[float, float]:
    """Return the medians of the time to first token in milliseconds and of the decode rate, as llama-benchy has them."""
    out = folder / "benchy.json"
    how = ["--model", "model", "--tokenizer", str(folder), "--book-url", book, "--latency-mode", "none", "--no-cache"]
    what = ["--pp", str(bench.prefill[0]), "--tg", str(bench.max_tokens), "--exact-tg", "--runs", str(bench.requests)]
    argv = [str(python), "-m", "llama_benchy", "--base-url", f"{url}/v1", *how, *what, "--skip-coherence"]
    done = subprocess.run(
        [*argv, "--save-result", str(out), "--format", "json"],
        env={**os.environ, "HOME": str(folder), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode or not out.is_file():
        raise RuntimeError(f"llama-benchy failed: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    (run,) = json.loads(out.read_text())["benchmarks"]
    return median(run["e2e_ttft"]["values"]), median(run["tg_req_throughput"]["values"])


def by_assay(client: httpx.Client, bench: Bench, seed: int) -> tuple[float, float] | None:
    """Return the medians of both; None, and the reason on stdout, where one is missing. Nobody looks whether the machine was quiet, as
    nobody does for the other side: what disturbs one round disturbs the next.
    """
    found = service_rows(client, bench, model="model", chat=True, seed=seed)
    rows = {row.metric: row for row in found if row.test == "streams=1"}
    first, rate = rows["ttft_ms"], rows["decode_tok_s"]
    if first.value is None or rate.value is None:
        print(f"round {seed}: assay says {first.reason or rate.reason}", flush=True)
        return None
    return first.value, rate.value


class Logged(NamedTuple):
    """Medians of what llama-server logged of requests: milliseconds of prefill, tokens a second of decode, tokens of a prompt."""

    prefill: float
    rate: float
    prompt: float


class Log:
    """What llama-server logged since one last asked."""

    def __init__(self, path: Path, bench: Bench) -> None:
        self._path, self._bench, self._read = path, bench, 0

    def new(self) -> Logged:
        """Return what it says of the requests that read all of their prompt and answered at full length. Raises RuntimeError where there
        is none.
        """
        time.sleep(0.2)  # a request's times are logged after its last byte
        logged = self._path.read_bytes()
        found = [tuple(map(float, one)) for one in TIMED.findall(logged, self._read)]
        self._read = len(logged)
        whole = [one for one in found if one[1] > 0.9 * self._bench.prefill[0] and one[3] == self._bench.max_tokens]
        if not whole:
            raise RuntimeError(f"llama-server logged no whole request of {len(found)}: see {self._path}")
        prefills, prompts, decodes, answers = zip(*whole, strict=True)
        rates = [1000 * (tokens - 1) / spent for spent, tokens in zip(decodes, answers, strict=True)]
        return Logged(median(prefills), median(rates), median(prompts))


def measure(build: EngineBuild, model: Path, python: Path, rounds: int, bench: Bench, threads: int) -> list[str]:
    """Print two lines for either figure; returns whether both agree."""
    port = free_port()
    bare, shares = ([Pairs() for _ in FIGURES] for _ in range(2))
    prompts = Pairs()
    with tempfile.TemporaryDirectory(prefix="assay-service-") as name:
        folder = Path(name)
        tokenizer(python, model, folder)
        (folder / "book.txt").write_text(TEXT.read_text())
        books = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=name))
        threading.Thread(target=books.serve_forever, daemon=True).start()
        size = f"--ctx-size {2 * (bench.prefill[0] + bench.max_tokens)} --parallel 1 --threads {threads}".split()
        where = f"--host 127.0.0.1 --port {port} --offline".split()
        argv = [str(build.server), "--model", str(model), *size, *where]
        url = f"http://127.0.0.1:{port}"
        with spawn(argv, env=build.environment, log=folder / "log") as server, httpx.Client(base_url=url) as client:
            wait_ready(server, Listen("127.0.0.1", port), 60.0)
            log = Log(folder / "log", bench)

            book = f"http://127.0.0.1:{books.server_address[1]}/book.txt"
            ask: dict[str, Callable[[int], tuple[float, float] | None]] = {
                "assay": lambda seed: by_assay(client, bench, seed),
                "llama-benchy": lambda _: by_benchy(python, url, folder, book, bench),
            }
            for number in range(rounds):
                said, logged = dict[str, tuple[float, float] | None](), dict[str, Logged]()
                for side in SIDES[:: -1 if number % 2 else 1]:
                    said[side] = ask[side](number)
                    logged[side] = log.new()
                one, other = map(said.get, SIDES)
                if one is None or other is None:
                    continue
                own, hers = map(logged.__getitem__, SIDES)
                prompts.add(own.prompt, hers.prompt)
                for at in range(len(FIGURES)):
                    bare[at].add(one[at], other[at])
                    shares[at].add(one[at] / own[at], other[at] / hers[at])
        books.shutdown()
    if prompts.first:
        print(f"tokens of a prompt: assay {median(prompts.first):.0f}, llama-benchy {median(prompts.second):.0f}")
    for name, pairs in zip(FIGURES, bare, strict=True):
        line(f"{name}, bare", pairs)
    return [line(f"{name}, over the server's", pairs) for name, pairs in zip(FIGURES, shares, strict=True)]


def line(name: str, pairs: Pairs) -> str:
    """Print what was found; returns whether both agree."""
    if not pairs.first:
        return "not told"
    (ratio, low, high), verdict = pairs.ratio, told(pairs.ratio, 1 - AGREE, 1 + AGREE)
    medians = f"assay {median(pairs.first):9.3f}, llama-benchy {median(pairs.second):9.3f}"
    apart = f"spread of each {spread(pairs.first):.2f} {spread(pairs.second):.2f}"
    known = f"ratio {ratio:.3f} ({low:.3f} to {high:.3f} with 95 %, {len(pairs.first)} pairs)"
    print(f"{name:32} {medians}, {known}; {apart}: {verdict}", flush=True)
    return verdict


def main() -> int:
    """Run both in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, nargs="?", default=TINY_CHAT)
    parser.add_argument("--peer-python", type=Path, required=True, help="a Python that has llama-benchy and tokenizers")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--requests", type=int, default=8)
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--budget", type=float, default=0.01, help="seconds that a round of ours may go on for")
    parser.add_argument("--threads", type=int, default=hardware().physical_cores)
    args = parser.parse_args()
    bench = Bench(
        prefill=(args.prefill,), streams=(1,), requests=args.requests, max_tokens=args.tokens, budget=args.budget
    )
    print(f"load average {os.getloadavg()[0]:.1f}, {args.model.name}, one stream, {args.threads} threads")
    verdicts = measure(find_engine(), args.model, args.peer_python, args.rounds, bench, args.threads)
    return 0 if set(verdicts) == {"met"} else 1


if __name__ == "__main__":
    sys.exit(main())
