"""The spec: one model, where it comes from, how it is run, tested and judged. The only place for defaults."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
CacheType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]
Strings = Annotated[tuple[str, ...], Field(strict=False)]
Counts = Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(strict=False)]


class Part(BaseModel):
    """Every part of a spec: unknown keys are errors, values are taken as written, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class License(Part):
    """Which licences are acceptable. ``id`` states the licence where the file doesn't; ``allow`` lists SPDX ids, lower case."""

    id: str | None = None
    allow: Strings = ()


class Engine(Part):
    """How llama.cpp runs the model. ``context`` counts tokens for each slot; ``threads`` null means one for each physical core."""

    context: int = Field(default=4096, gt=0, le=10_000_000)
    slots: int = Field(default=1, gt=0, le=256)
    gpu_layers: int = Field(default=0, ge=0)
    threads: int | None = Field(default=None, gt=0, le=1024)
    batch: int = Field(default=2048, gt=0)
    micro_batch: int = Field(default=512, gt=0)
    cache_type_k: CacheType = "f16"
    cache_type_v: CacheType = "f16"
    flash_attention: Literal["on", "off"] = "off"
    load: Literal["copy", "mmap"] = "copy"


class Chat(Part):
    """The chat template to use instead of the file's (path from the spec's folder), and extra stop strings."""

    template: str | None = None
    stop: Strings = ()


class Sampling(Part):
    """How tokens are drawn. ``temperature`` 0 is greedy."""

    temperature: float = Field(default=0.0, ge=0, strict=False)
    top_k: int = Field(default=40, ge=0)
    top_p: float = Field(default=0.95, gt=0, le=1, strict=False)
    min_p: float = Field(default=0.05, ge=0, le=1, strict=False)
    repeat_penalty: float = Field(default=1.0, gt=0, strict=False)
    seed: int = Field(default=0, ge=0)
    max_tokens: int = Field(default=256, gt=0)


class Ignore(Part):
    """A lint finding that is known and accepted, with the reason."""

    code: str
    reason: Annotated[str, StringConstraints(min_length=3)]


class Lint(Part):
    """What lint leaves out."""

    ignore: Annotated[tuple[Ignore, ...], Field(strict=False)] = ()


class Bench(Part):
    """What to measure: prompt lengths for prefill, token counts for decode, concurrent streams for the service."""

    prefill: Counts = (128,)
    decode: Counts = (32,)
    repetitions: int = Field(default=5, ge=3, le=100)
    streams: Counts = (1, 4)
    requests: int = Field(default=8, gt=0, le=10_000)
    max_tokens: int = Field(default=32, gt=0)


class Limit(Part):
    """Bounds on one metric."""

    min: float | None = Field(default=None, strict=False)
    max: float | None = Field(default=None, strict=False)


class Gates(Part):
    """What a model must show to be accepted. ``lint`` is the worst severity allowed; ``checks`` are groups in which every case must
    pass; ``metrics`` maps ``suite.metric`` or ``bench.metric`` (with ``@test`` for one setting) to bounds."""

    lint: Literal["none", "info", "warning", "error"] = "warning"
    checks: Strings = ()
    metrics: dict[str, Limit] = Field(default_factory=dict)


class Deploy(Part):
    """How it is served."""

    port: int = Field(default=8080, ge=0, le=65535)


class Spec(Part):
    """One model of the catalog."""

    name: Name
    source: str
    sha256: Sha256 | None = None
    profile: Literal["chat", "completion"] = "chat"
    license: License = License()
    engine: Engine = Engine()
    chat: Chat = Chat()
    sampling: Sampling = Sampling()
    lint: Lint = Lint()
    checks: Strings = ()
    evals: Strings = ()
    bench: Bench = Bench()
    gates: Gates = Gates()
    deploy: Deploy = Deploy()

    def content(self) -> dict[str, Any]:
        """Return everything the spec says, defaults written out, as plain JSON."""
        return self.model_dump(mode="json")
