"""Values as a real run gives them, for tests and for looking at reports: a sound model and a broken one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.bench.model import BenchRow
from pipeline.checks.model import Cause, Outcome, Verdict
from pipeline.core.canonical import digest_of
from pipeline.evals.model import EvalResult, Item, Metric
from pipeline.lint.model import Finding, NotJudged, Severity
from pipeline.lock.model import Lockfile
from pipeline.record.model import Run, RunKey, StageResult

NOW = datetime(2026, 3, 14, 9, 26, 53, 589793, tzinfo=UTC)
ENGINE = str(digest_of("engine"))
HARDWARE = str(digest_of("hardware"))
SLOWED = "inconclusive: 0 of 5 repetitions count, 5 are wanted (its threads ran 51% of the time)"
NOISE = "the fastest stream is 1.62 times the slowest"
SUITES = ("tiny-stop", "tiny-tools", "tiny-perplexity", "tiny-choice")

ENGINE_CONTENT: dict[str, Any] = {
    "commit": "0c1e570d2f1f4e0f8d3a6a35b7f8a2c9d4e5f607",
    "version": "b6800",
    "backends": ["CPU"],
    "files": {
        "llama-server": str(digest_of("llama-server")),
        "libllama.so": str(digest_of("libllama")),
        "libggml-cpu.so": str(digest_of("libggml")),
    },
}
HARDWARE_CONTENT: dict[str, Any] = {
    "cpu_model": "AMD EPYC 7B13",
    "cpu_id": "AuthenticAMD/25/1/0",
    "architecture": "x86_64",
    "physical_cores": 2,
    "logical_cores": 4,
    "cpu_quota": None,
    "simd_level": "x86-64-v3",
    "simd": ["avx", "avx2", "bmi2", "f16c", "fma"],
    "memory": 24_696_061_952,
    "memory_limit": None,
    "gpus": [{"name": "NVIDIA L4", "memory": 24_152_899_584, "driver": "560.35.03"}],
    "virtual_machine": "kvm",
    "container": None,
    "system": "Linux",
    "os": "Debian GNU/Linux 12",
    "kernel": "6.1.0-28-amd64",
    "unknown": {},
}


def suite_digest(suite: str) -> str:
    """The digest that the lock names for a suite."""
    return str(digest_of(["suite", suite]))


def lock(**spec: Any) -> Lockfile:
    """A lock of tiny-chat with two check suites, two evals and gates; ``spec`` overrides parts of the spec."""
    content: dict[str, Any] = {
        "name": "tiny-chat",
        "source": "file:models/tiny-chat/tiny-chat-q8_0.gguf",
        "checks": ["tiny-stop", "tiny-tools"],
        "evals": ["tiny-perplexity", "tiny-choice"],
        "engine": {"context": 512, "slots": 4},
        "license": {"allow": ["apache-2.0"]},
        "gates": {
            "lint": "warning",
            "checks": ["stop-tokens", "tool-calling"],
            "metrics": {
                "tiny-perplexity.perplexity": {"max": 4},
                "tiny-choice.accuracy": {"min": 0.6},
                "bench.decode_tok_s@tg32": {"min": 100},
            },
        },
        **spec,
    }
    weights = digest_of("weights")
    return Lockfile.model_validate(
        {
            "lock_version": 1,
            "name": content["name"],
            "spec_digest": str(digest_of(content)),
            "spec": content,
            "source": {"original": content["source"], "resolved": content["source"]},
            "files": [
                {
                    "role": "weights",
                    "path": "tiny-chat-q8_0.gguf",
                    "size": 3_912_448,
                    "sha256": str(weights),
                    "urls": [content["source"]],
                    "known": "computed",
                }
            ],
            "gguf": {
                "architecture": "llama",
                "name": "tiny-chat",
                "parameters": 2_804_992,
                "quantization": "Q8_0",
                "context_length": 1024,
                "vocabulary": 530,
                "eos_id": 2,
                "eos_token": "<|im_end|>",
                "template_digest": str(digest_of("template")),
            },
            "license": {"id": "apache-2.0", "declared_in": "gguf:general.license"},
            "engine": {
                "llama_cpp_python": "0.3.36",
                "llama_cpp_commit": ENGINE_CONTENT["commit"],
                "build_flags": ["LLAMA_BUILD_TOOLS=ON", "LLAVA_BUILD=OFF"],
            },
            "argv": ["--ctx-size", "2048", "--parallel", "4", "--threads", "2", "--no-context-shift", "--jinja"],
            "suites": {
                suite: {"version": "1", "digest": suite_digest(suite)}
                for suite in [*content["checks"], *content["evals"]]
            },
        }
    )


def run(of: Lockfile, stage: str, subject: str, result: StageResult, number: int = 0, **changes: Any) -> Run:
    """One finished run of the lock."""
    digest = of.suites[subject].digest if subject in of.suites else str(digest_of([stage, subject]))
    key = RunKey(str(of.digest), ENGINE, HARDWARE, stage, subject, digest)
    made = Run(
        id=f"{stage}-{subject}-{number:04d}",
        model=of.name,
        key=key,
        started=NOW + timedelta(seconds=number),
        seconds=1.25 + number,
        result=result,
        assay_version="0.1.0",
        argv=tuple(of.argv) if stage in ("check", "bench") else (),
        seed=0,
        outputs_digest=str(digest_of([stage, subject, number])),
    )
    return replace(made, **changes)


def _message(content: str | None, calls: list[dict[str, Any]] | None = None, finish: str = "stop") -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if calls:
        message["tool_calls"] = [{"id": f"c{i}", "type": "function", "function": call} for i, call in enumerate(calls)]
    return {
        "choices": [{"index": 0, "finish_reason": finish, "message": message}],
        "usage": {"prompt_tokens": 87, "completion_tokens": 19, "total_tokens": 106},
    }


def _request(user: str, tools: tuple[str, ...] = ()) -> dict[str, Any]:
    request: dict[str, Any] = {
        "model": "tiny-chat",
        "messages": [{"role": "user", "content": user}],
        "temperature": 0,
        "seed": 0,
        "max_tokens": 64,
    }
    if tools:
        request["tools"] = [
            {"type": "function", "function": {"name": tool, "parameters": {"type": "object"}}} for tool in tools
        ]
    return request


def outcomes_of_stop() -> tuple[Outcome, ...]:
    """Three cases that pass."""
    cases = (
        ("greeting", "Hello there!", "Hello! How can I help you?"),
        ("fact", "What is the capital of France?", "The capital of France is Paris."),
        ("copy", "Repeat: quiet amber river", "quiet amber river"),
    )
    diagnosis = "the answer ended with its stop token after 19 of 64 tokens; no special token text in it"
    return tuple(
        Outcome("tiny-stop", "stop-tokens", name, Verdict.PASS, diagnosis, _request(user), _message(answer), 0.21)
        for name, user, answer in cases
    )


CAUSE = Cause(
    "json_in_content",
    "calls come as bare JSON in 1 of 3 answers that wanted a call",
    "ollama#12174",
    "use a template that declares bare JSON calls",
    ("required",),
)


def outcomes_of_tools(broken: bool = False) -> tuple[Outcome, ...]:
    """Tool calls: all pass, or one fails and one can't be judged."""
    weather = {"name": "get_weather", "arguments": '{"city":"Lisbon"}'}
    request = _request("What is the weather in Lisbon?", ("get_weather", "get_time", "send_mail"))
    good = Outcome(
        *("tiny-tools", "tool-calling", "single", Verdict.PASS, "called get_weather with city = Lisbon"),
        *(request, _message(None, [weather], "tool_calls"), 0.43),
    )
    none = Outcome(
        *("tiny-tools", "tool-calling", "no-tool-needed", Verdict.PASS, "no tool was called; the answer is text"),
        *(_request("Thank you!", ("get_weather",)), _message("You are welcome!"), 0.18),
    )
    if not broken:
        return (good, none)
    plain = Outcome(
        *("tiny-tools", "tool-calling", "required", Verdict.FAIL, "the call came out as plain content"),
        *(
            request,
            _message('<tool_call>\n{"name": "get_weather", "arguments": {"city": "Lisbon"}}\n</tool_call>'),
            0.52,
        ),
        grade="markers_in_content",
    )
    silent = Outcome(
        *("tiny-tools", "tool-calling", "streaming", Verdict.UNKNOWN, "the server closed the stream after 3 events"),
        *({**request, "stream": True}, {}, 0.05),
        grade="server_crash",
    )
    return (good, plain, none, silent)


def perplexity(value: float = 2.913) -> EvalResult:
    """A perplexity result with two windows."""
    metrics = (
        Metric("perplexity", value, "", value - 0.12, value + 0.13, 1_842),
        Metric("nll", 1.0692, "nats/token", 1.02, 1.12, 1_842),
    )
    items = tuple(
        Item(f"window-{i}", 1.05 + i / 100, {"tokens": 921, "first": "The river runs past"}) for i in range(2)
    )
    return EvalResult("tiny-perplexity", "perplexity", metrics, items)


def choice(correct: int = 42, of: int = 54) -> EvalResult:
    """A multiple-choice result."""
    accuracy = correct / of
    metrics = (Metric("accuracy", accuracy, "", max(0.0, accuracy - 0.118), min(1.0, accuracy + 0.097), of),)
    items = tuple(
        Item(
            f"q{i:03d}",
            float(i < correct),
            {
                "prompt": f"What is {i} + 2? Answer with one letter.",
                "choices": [
                    {"text": str(i + more), "logprob": -0.31 * (more + 1), "tokens": 1, "bytes": 1}
                    for more in (2, 1, 0, 3)
                ],
                "answer": 0,
                "picked": 0 if i < correct else 1,
            },
        )
        for i in range(of)
    )
    return EvalResult("tiny-choice", "multiple_choice", metrics, items)


def bench_rows() -> tuple[BenchRow, ...]:
    """Rows of both layers, one of them missing with a reason."""
    return (
        BenchRow(
            "engine",
            "pp128",
            "prefill_tok_s",
            4211.4,
            "tok/s",
            (4188.0, 4211.4, 4236.9, 4102.5, 4240.2),
            "",
            {"threads": 2},
            low=4127.6,
            high=4264.0,
        ),
        BenchRow(
            "engine", "tg32", "decode_tok_s", 812.6, "tok/s", (809.1, 812.6, 815.2, 790.3, 818.0), "", {"threads": 2}
        ),
        BenchRow("engine", "tg32+d512", "decode_tok_s", None, "tok/s", (), SLOWED, {"slowest": 3.1}, inconclusive=True),
        BenchRow("service", "streams=1", "ttft_ms", 9.8, "ms", (9.1, 9.6, 9.8, 10.2, 12.9, 9.7, 9.9, 9.4)),
        BenchRow("service", "streams=4", "ttft_ms", 21.7, "ms", (15.2, 19.8, 21.7, 24.4, 29.8, 22.1, 21.0, 23.5)),
        BenchRow("service", "streams=1", "itl_ms", 1.41, "ms", (1.38, 1.41, 1.40, 1.52, 1.43)),
        BenchRow(
            "service",
            "streams=4",
            "itl_ms",
            3.02,
            "ms",
            (2.8, 3.02, 3.3, 2.95, 3.4),
            "",
            {"noisy": True, "noise": NOISE},
        ),
        BenchRow("service", "streams=1", "total_tok_s", 612.0, "tok/s", (612.0,)),
        BenchRow("service", "streams=4", "total_tok_s", 1104.5, "tok/s", (1104.5,)),
        BenchRow("service", "load", "load_seconds", 0.182, "s", (0.182,)),
        BenchRow("service", "load", "peak_rss_bytes", 71_303_168.0, "B", (71_303_168.0,)),
        BenchRow("service", "load", "peak_gpu_bytes", None, "B", (), "no GPU on this machine"),
    )


def sound_runs(of: Lockfile) -> list[Run]:
    """Every stage of a model that should be accepted."""
    info = Finding(
        "L011", Severity.INFO, "the file names no author", "general.author", "", "set general.author when converting"
    )
    return [
        run(of, "lint", "lint", StageResult(findings=(info,), not_judged=(NotJudged("L030", "no tools in it"),)), 1),
        run(of, "check", "tiny-stop", StageResult(outcomes=outcomes_of_stop()), 2),
        run(of, "check", "tiny-tools", StageResult(outcomes=outcomes_of_tools()), 3),
        run(of, "eval", "tiny-perplexity", StageResult(evaluation=perplexity()), 4),
        run(of, "eval", "tiny-choice", StageResult(evaluation=choice()), 5),
        run(of, "bench", "bench", StageResult(bench=bench_rows()), 6),
    ]


def broken_runs(of: Lockfile) -> list[Run]:
    """A model with faults: lint errors, a failed and an unknown case, a suite never run, one number under its bound."""
    findings = (
        Finding(
            *("L001", Severity.ERROR, "the model has no chat template: nobody can chat with it as it was trained"),
            *("tokenizer.chat_template", "", "name a template in the spec: chat.template: FILE.jinja"),
        ),
        Finding(
            *("L005", Severity.WARNING, "tokenizer.ggml.pre is missing", "tokenizer.ggml.pre", "default"),
            "convert again with a current converter",
        ),
    )
    return [
        run(of, "lint", "lint", StageResult(findings=findings), 1),
        run(of, "check", "tiny-stop", StageResult(outcomes=outcomes_of_stop()), 2),
        run(of, "check", "tiny-tools", StageResult(outcomes=outcomes_of_tools(broken=True), causes=(CAUSE,)), 3),
        run(of, "eval", "tiny-choice", StageResult(evaluation=choice(29)), 5),
        run(of, "bench", "bench", StageResult(bench=bench_rows()), 6),
    ]
