"""The spec: one model, where it comes from, how it is run, tested and judged. The only place for defaults."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from pipeline.spec.gates import Gates
from pipeline.spec.overrides import Overrides
from pipeline.spec.parts import DAY, INT32, SPAN, CacheType, Counts, Name, Names, Part, Sha256, Strings, a_day


class License(Part):
    """Which licences are acceptable."""

    id: str | None = Field(default=None, description="The model's licence, where its file states none or a wrong one.")
    allow: Strings = Field(
        default=(), description="SPDX ids; when empty, any licence will do, and none at all is a warning."
    )


class Engine(Part):
    """How llama.cpp runs the model."""

    context: int = Field(default=4096, gt=0, le=10_000_000, description="Tokens of context for each slot.")
    slots: int = Field(default=1, gt=0, le=256, description="Requests that are worked on at once.")
    gpu_layers: int = Field(default=0, ge=0, le=INT32, description="Layers that a GPU computes; 0 is CPU only.")
    threads: int | None = Field(
        default=None, gt=0, le=1024, description="Threads; null means one for each physical core."
    )
    batch: int = Field(default=2048, gt=0, le=INT32, description="Most tokens of a prompt that are submitted at once.")
    micro_batch: int = Field(default=512, gt=0, le=INT32, description="Most tokens that are computed at once.")
    cache_type_k: CacheType = Field(default="f16", description="How keys are stored in the KV cache.")
    cache_type_v: CacheType = Field(
        default="f16", description="How values are stored in the KV cache; quantized types need flash attention."
    )
    flash_attention: Literal["on", "off"] = Field(
        default="off",
        description="Flash attention; llama.cpp's `auto` is not offered, since it decides by the machine.",
    )
    pooling: Literal["mean", "cls", "last"] | None = Field(
        default=None,
        description="How the vectors of a text's tokens become one, for the profile `embedding`; null: as the file says.",
    )
    load: Literal["copy", "mmap"] = Field(
        default="copy",
        description="`copy` reads the weights into own memory; with `mmap`, bytes that change on disk are served.",
    )
    overrides: Overrides = Field(
        default_factory=dict,
        description="Corrections of the file's metadata, by key: the id of a special token (`tokenizer.ggml.eos_token_id: 2`; "
        "so for bos, eot, eom, unknown, seperator, padding, mask and those of fill-in-the-middle), "
        "`tokenizer.ggml.add_bos_token`, `tokenizer.ggml.add_eos_token`, `tokenizer.ggml.pre`.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        """Refuse here what llama.cpp refuses, or changes by itself, when it starts."""
        if self.context * self.slots > INT32:
            raise PydanticCustomError("too_large", "context times slots is more than llama.cpp can count")
        if self.micro_batch > self.batch:
            raise PydanticCustomError("too_large", "micro_batch is larger than batch")
        if self.cache_type_v not in ("f32", "f16", "bf16") and self.flash_attention == "off":
            message = "cache_type_v {name} needs flash_attention: on"
            raise PydanticCustomError("flash_attention", message, {"name": self.cache_type_v})
        return self


class Chat(Part):
    """The chat template to use instead of the file's (path from the spec's folder), and extra stop strings."""

    template: str | None = Field(
        default=None,
        description="A Jinja file that replaces the model's own chat template; a path from the spec's folder.",
    )
    date: Annotated[str, StringConstraints(pattern=DAY), AfterValidator(a_day)] | None = Field(
        default=None,
        description="The day that prompts say it is (`2026-11-21`), for templates that read the clock; none: the day on "
        "which they are made.",
    )
    stop: Strings = Field(default=(), description="Strings that end an answer, besides the model's own stop tokens.")


class Sampling(Part):
    """How tokens are drawn. ``temperature`` 0 is greedy."""

    temperature: float = Field(default=0.0, ge=0, description="0 is greedy: the likeliest token each time.")
    top_k: int = Field(default=40, ge=0, le=INT32, description="Draw among the k likeliest tokens; 0 means all.")
    top_p: float = Field(
        default=0.95,
        gt=0,
        le=1,
        description="Draw among the likeliest tokens that together have this probability.",
    )
    min_p: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Leave out tokens less likely than this share of the likeliest.",
    )
    repeat_penalty: float = Field(default=1.0, gt=0, description="1 is none.")
    seed: int = Field(
        default=0,
        ge=0,
        le=2**32 - 2,
        description="Where the random numbers begin; llama.cpp takes 4294967295 for a seed of its own choice.",
    )
    max_tokens: int | None = Field(
        default=None,
        gt=0,
        le=INT32,
        description="The longest answer, in tokens, where a request names no limit; none: as long as the context allows.",
    )


class Ignore(Part):
    """A lint finding that is known and accepted, with the reason."""

    code: str = Field(description="The rule's code, for instance A202.")
    reason: Annotated[str, StringConstraints(min_length=3)] = Field(description="Why it is acceptable.")
    until: Annotated[str, StringConstraints(pattern=DAY)] | None = Field(
        default=None, description="The last day on which it is (`2026-12-31`); from then on the finding counts again."
    )


class Lint(Part):
    """What lint leaves out."""

    ignore: Annotated[tuple[Ignore, ...], Field(strict=False)] = Field(
        default=(), description="Findings that are known and accepted."
    )


class Slo(Part):
    """What a user is promised: a request that keeps to it is good. Only what is given counts."""

    ttft_ms: float | None = Field(default=None, gt=0, description="Most milliseconds to the first token.")
    itl_ms: float | None = Field(
        default=None, gt=0, description="Most milliseconds for each further token, on average."
    )


class Bench(Part):
    """What to measure: prompt lengths for prefill, token counts for decode, concurrent streams for the service."""

    prefill: Counts = Field(default=(128,), description="Prompt lengths, in tokens, for `llama-bench`.")
    decode: Counts = Field(default=(32,), description="Answer lengths, in tokens, for `llama-bench`.")
    depths: Annotated[tuple[Annotated[int, Field(ge=0, le=10_000_000)], ...], Field(strict=False, min_length=1)] = (
        Field(default=(0,), description="Tokens that stand in the context before each of these.")
    )
    repetitions: int = Field(default=5, ge=3, le=100, description="How many repetitions of each must count.")
    budget: float = Field(
        default=30.0,
        ge=0,
        le=86400,
        description="Seconds in which repetitions that don't count, or that differ, are done again.",
    )
    streams: Counts = Field(default=(1, 4), description="Concurrent streams of the load test through `llama-server`.")
    requests: int = Field(default=8, gt=0, le=10_000, description="Requests for each number of streams.")
    max_tokens: int = Field(default=32, gt=0, le=INT32, description="Tokens asked for in each request.")
    sweep: bool = Field(
        default=False, description="Double the largest number of streams until that gains less than 5 % throughput."
    )
    slo: Slo | None = Field(
        default=None, description="Objectives; how many requests a second meet them is the goodput."
    )


class Deploy(Part):
    """How it is served."""

    port: int = Field(default=8080, ge=0, le=65535, description="The port of `assay serve`; 0 takes a free one.")


class Spec(Part):
    """One model of the catalog."""

    name: Name = Field(description="The model's name; the file is `specs/NAME.yaml`.")
    source: str = Field(description="Where the weights come from; see sources.md.")
    sha256: Sha256 | None = Field(default=None, description="The digest of the weights, where you know it.")
    mirrors: Strings = Field(
        default=(),
        description="Other places of the same file, tried in turn; one that ends in `/` is a folder that holds it by name.",
    )
    mmproj: str | None = Field(default=None, description="Where a vision model's projector comes from, as in `source`.")
    exclude_newer: Annotated[str, StringConstraints(pattern=SPAN)] | None = Field(
        default=None,
        description="Lock nothing that appeared upstream after this day (`2026-10-01`), or in the last days (`7d`).",
    )
    profile: Literal["chat", "completion", "embedding", "rerank"] = Field(
        default="chat",
        description="`completion` for a base model: no chat template is asked for. `embedding` for a model that makes vectors "
        "of texts (`/v1/embeddings`), `rerank` for one that says how well texts answer a query (`/v1/rerank`): these write "
        "nothing, and compute a text at once, as long as the context may be, whatever `batch` and `micro_batch` say "
        "(with `pooling: last` in pieces of `micro_batch`).",
    )
    license: License = License()
    engine: Engine = Engine()
    chat: Chat = Chat()
    sampling: Sampling = Sampling()
    lint: Lint = Lint()
    checks: Names = Field(default=(), description="Behaviour suites: folders of `evals/`.")
    evals: Names = Field(default=(), description="Quality suites: folders of `evals/`.")
    reference: Name | None = Field(
        default=None,
        description="Another spec, of the model that this one was made of; suites of kind `kl_divergence` compare with it.",
    )
    bench: Bench = Bench()
    gates: Gates = Gates()
    deploy: Deploy = Deploy()

    @model_validator(mode="after")
    def _fits_the_profile(self) -> Self:
        if self.checks and not self.writes:
            message = "checks are of what a model writes, and one of profile {profile} writes nothing"
            raise PydanticCustomError("profile", message, {"profile": self.profile})
        if self.engine.pooling and self.profile != "embedding":
            raise PydanticCustomError("profile", "engine.pooling is for profile: embedding", {})
        return self

    @property
    def writes(self) -> bool:
        """Whether the model answers in text."""
        return self.profile in ("chat", "completion")

    @property
    def micro_batch(self) -> int:
        """How many tokens the engine computes at once. A text whose tokens see each other must not be cut."""
        engine = self.engine
        return engine.micro_batch if self.writes or engine.pooling == "last" else engine.context

    def content(self) -> dict[str, Any]:
        """Return everything the spec says, defaults written out, as plain JSON."""
        said = self.model_dump(mode="json")
        if self.engine.pooling is None:  # came later: without a word of it, locks are what they were
            del said["engine"]["pooling"]
        return said
