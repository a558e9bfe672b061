"""A model without its weights: a file's own tokenizer and chat template on a tiny body that says nothing.

What llama-server makes of a vocabulary and a template (prompts, tokens, what it refuses) does not depend on the weights,
so a file's header is enough to see it, and a second to start the real server on it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipeline.core.digest import Digest
from pipeline.gguf.header import Header
from pipeline.gguf.values import Array
from pipeline.gguf.write import NewTensor, kept, packed, write_gguf
from pipeline.lock.argv import compile_argv
from pipeline.runtime.build import EngineBuild
from pipeline.runtime.params import HARDENED, Listen
from pipeline.runtime.server import Running, started
from pipeline.spec.model import Engine, Spec

BOUNDED = Path(__file__).with_name("_bounded.py")
MEMORY_BYTES = 2 << 30
CPU_SECONDS = 300
READY_WITHIN = 60.0
WIDTH = 32
BATCH = 64  # llama.cpp sets memory aside for this many rows of logits, each as long as the vocabulary

_UNREAD = "tokenizer.huggingface."
_NO_DECODER = frozenset({"t5encoder", "clip", "mmproj"})


def why_not(header: Header) -> str:
    """Say why a file can't be served hollow; "" when it can."""
    architecture = str(header.metadata.get("general.architecture"))
    if "bert" in architecture or architecture in _NO_DECODER:
        return f"a model of the architecture {architecture} writes no text"
    tokens = header.metadata.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, Array) or not len(tokens):
        return "the file has no vocabulary"
    return ""


def tokenizer_of(header: Header) -> dict[str, bytes]:
    """Return a file's metadata that decides how llama.cpp reads and writes text; its name is a part, since llama.cpp goes
    by it too.
    """

    def wanted(key: str) -> bool:
        return key == "general.name" or (key.startswith("tokenizer.") and not key.startswith(_UNREAD))

    return kept(header, wanted)


def write_hollow(header: Header, path: Path) -> None:
    """Write a model with a header's tokenizer, chat templates included, and a llama body of one layer that is zero: every
    token is as likely as any other. The file is mostly a hole and takes little space.
    """
    size = len(header.metadata["tokenizer.ggml.tokens"])
    body: dict[str, str | int | float] = {
        "general.architecture": "llama",
        "llama.block_count": 1,
        "llama.context_length": 1 << 20,
        "llama.embedding_length": WIDTH,
        "llama.feed_forward_length": WIDTH,
        "llama.attention.head_count": 1,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
    }
    square, norm = (WIDTH, WIDTH), (WIDTH,)
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (WIDTH, size), "output_norm": norm}
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        shapes[f"blk.0.{name}"] = square
    shapes |= {"blk.0.attn_norm": norm, "blk.0.ffn_norm": norm}
    tensors = [NewTensor(f"{name}.weight", shape, "F16" if len(shape) > 1 else "F32") for name, shape in shapes.items()]
    write_gguf(path, {key: packed(value) for key, value in body.items()} | tokenizer_of(header), tensors)


@contextmanager
def serving(
    build: EngineBuild,
    path: Path,
    *,
    template: Path | None = None,
    context: int = 4096,
    slots: int = 1,
    stop: tuple[str, ...] = (),
    ready_within: float = READY_WITHIN,
) -> Iterator[Running]:
    """Run the real llama-server on a file that is not trusted, with the flags with which Assay serves, on the CPU, within
    bounds of memory and time, and on a socket that nobody else can reach.

    ``context`` counts tokens of each slot; ``template`` replaces the file's. Raises NotReady with the log's end.
    """
    engine = Engine(context=context, slots=slots, batch=BATCH, micro_batch=BATCH)
    spec = Spec.model_validate(
        {"name": "hollow", "source": "file:hollow.gguf", "engine": engine, "chat": {"stop": stop}}
    )

    def argv(listen: Listen, key_file: Path) -> tuple[str, ...]:
        return (
            *("--model", str(path), *compile_argv(spec, Digest.of(b""))),
            *(("--chat-template-file", str(template)) if template else ()),
            *("--threads", "1", "--threads-batch", "1", "--threads-http", "2", "--no-warmup", "--device", "none"),
            *(*listen.argv(), "--api-key-file", str(key_file), *HARDENED),
        )

    program = (sys.executable, "-I", "-S", str(BOUNDED), str(MEMORY_BYTES), str(CPU_SECONDS), str(build.server))
    with started(program, _without_gpus(build.environment), argv, ready_within) as server:
        yield server


def _without_gpus(environment: Mapping[str, str]) -> dict[str, str]:
    """A GPU's driver would take address space beyond the bound, and seconds to start."""
    return {**environment, "CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "", "GGML_VK_VISIBLE_DEVICES": ""}
