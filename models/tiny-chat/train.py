"""Train tiny-chat from nothing, write it as GGUF and score it.

    python train.py                    # train (resumes from its checkpoint), then export
    python train.py --export-only      # write the GGUF files from the last checkpoint

The whole recipe is here: a byte-level BPE, a llama-architecture decoder, Muon and AdamW, loss on the assistant's turns only. Seeds are
fixed, so two runs on the same machine and thread count give the same weights. About an hour on two cores with bfloat16 units.

Sources: RMSNorm, RoPE and SwiGLU as in LLaMA (Touvron et al. 2023); Muon (Jordan et al. 2024); a learning rate that is held and then
decays linearly (Hägele et al. 2024).
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import dialogues
import gguf
import jinja2.sandbox
import numpy as np
import regex
import tokenizers
import torch
import torch.nn.functional as F
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn

HERE = Path(__file__).parent
BUILD = HERE / "build"
SPECIAL = {
    "<|endoftext|>": gguf.TokenType.CONTROL,
    "<|im_start|>": gguf.TokenType.CONTROL,
    "<|im_end|>": gguf.TokenType.CONTROL,
    "<tool_call>": gguf.TokenType.USER_DEFINED,
    "</tool_call>": gguf.TokenType.USER_DEFINED,
}
# llama.cpp's "qwen2" pre-tokenizer: digits one by one. Merges are learnt within a finer split, so that no merge joins a quote, a
# bracket or a space to a letter, and a name is cut alike in prose and in JSON.
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
FINE = r"\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s"


@dataclass(frozen=True)
class Config:
    """Sizes. ``width`` and ``hidden`` are multiples of 256, the block of a K-quant."""

    width: int = 256
    layers: int = 4
    heads: int = 4
    hidden: int = 768
    context: int = 1024
    theta: float = 10000.0
    eps: float = 1e-5
    merges: int = 420
    spaced_words: int = 120
    stage_pools: tuple[int, ...] = (77, 393, 491)  # each stage's first pool, but the first stage's
    decision_weight: float = 6.0
    batch_tokens: int = 8192
    lr: float = 3e-3
    # The learning rate as a share of `lr`, at steps; between them it is interpolated.
    rates: tuple[tuple[int, float], ...] = (
        *(
            (0, 0.0),
            (150, 1.0),
            (2310, 1.0),
            (2749, 0.77),
            (2750, 1.0),
            (2999, 0.89),
            (3000, 0.77),
            (3999, 0.29),
            (4000, 0.4),
        ),
        *((5599, 0.0), (5600, 0.25), (6499, 0.0003), (6500, 0.5), (6749, 0.4502), (6750, 0.45), (8249, 0.0003)),
        *((8250, 0.3), (8950, 0.0)),
    )
    seed: int = 20260101

    @property
    def steps(self) -> int:
        """How many steps there are: the schedule's last."""
        return self.rates[-1][0]


# -- tokenizer ---------------------------------------------------------------------------------------------------------


def train_tokenizer(config: Config) -> Tokenizer:
    """Learn the merges on prose without made-up names, then let frequent whole words carry the space before them."""
    rng = random.Random(config.seed)
    texts = [dialogues.tokenizer_text(rng) for _ in range(4000)]
    learner = Tokenizer(models.BPE())
    fine = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(FINE), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    learner.pre_tokenizer = fine
    learner.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=256 + config.merges, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
        ),
    )
    model = json.loads(learner.to_str())["model"]
    vocab: dict[str, int] = model["vocab"]
    merges = [tuple(pair) for pair in model["merges"]]
    spaced = Counter(found for text in texts for found in regex.findall(r"(?<= )[a-z]{2,}\b", text) if found in vocab)
    for found, _ in sorted(spaced.items(), key=lambda item: (-item[1], item[0]))[: config.spaced_words]:
        merges.append(("Ġ", found))
        vocab["Ġ" + found] = len(vocab)
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([tokenizers.AddedToken(text, normalized=False) for text in SPECIAL])
    return tokenizer


# -- model -------------------------------------------------------------------------------------------------------------


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding on the two halves of the last axis: fast on contiguous memory; ``interleave`` undoes the order at export."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


def interleave(weight: Tensor, heads: int) -> Tensor:
    """Reorder the rows of a q or k matrix from halves to neighbouring pairs, which llama.cpp's llama architecture rotates."""
    rows, columns = weight.shape
    return weight.view(heads, 2, rows // heads // 2, columns).transpose(1, 2).reshape(rows, columns)


class Block(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads = config.heads
        self.attn_norm = nn.RMSNorm(config.width, eps=config.eps)
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=False)
        self.output = nn.Linear(config.width, config.width, bias=False)
        self.ffn_norm = nn.RMSNorm(config.width, eps=config.eps)
        self.gate_up = nn.Linear(config.width, 2 * config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, future: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = self.qkv(self.attn_norm(x)).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = rotate(torch.stack((q * q.shape[-1] ** -0.5, k)), cos, sin)
        mixed = (
            torch.softmax(q @ k.transpose(-1, -2) + future, dim=-1) @ v
        )  # on CPU faster than the fused kernel's backward
        x = x + self.output(mixed.transpose(1, 2).reshape(batch, length, width))
        gate, up = self.gate_up(self.ffn_norm(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


class TinyChat(nn.Module):
    """A decoder with tied embeddings. Input: token ids (batch, time); output: logits at the places of ``where``."""

    def __init__(self, config: Config, vocabulary: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width, eps=config.eps)
        size = config.width // config.heads
        angles = torch.outer(
            torch.arange(config.context).float(), config.theta ** (-torch.arange(0, size, 2).float() / size)
        )
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)
        for block in self.blocks:
            for last in (block.output, block.down):
                nn.init.normal_(last.weight, std=0.02 / math.sqrt(2 * config.layers))

    def forward(self, ids: Tensor, where: Tensor) -> Tensor:
        x = self.embed(ids)
        length, kind = (
            ids.shape[1],
            torch.get_autocast_dtype(ids.device.type) if torch.is_autocast_enabled(ids.device.type) else x.dtype,
        )
        cos, sin = self.cos[:length].to(kind), self.sin[:length].to(kind)
        future = torch.full((length, length), float("-inf"), dtype=kind, device=ids.device).triu(1)
        for block in self.blocks:
            x = block(x, cos, sin, future)
        return F.linear(self.norm(x[where]), self.embed.weight)


# -- data --------------------------------------------------------------------------------------------------------------


class Encoder:
    """Dialogues to token ids, through the very chat template that the GGUF file carries."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
        self.template = environment.from_string((HERE / "chat_template.jinja").read_text())
        self.end = tokenizer.token_to_id("<|im_end|>")
        self.header = tokenizer.encode("<|im_start|>assistant\n").ids

    def __call__(self, made: dialogues.Dialogue) -> tuple[list[int], list[bool]]:
        """Return ids and, for each, whether it belongs to an answer (its end token included)."""
        ids: list[int] = self.tokenizer.encode(
            self.template.render(messages=made.messages, tools=made.tools, add_generation_prompt=False)
        ).ids
        learn, answering, size = [False] * len(ids), False, len(self.header)
        for i in range(len(ids)):
            if not answering and ids[i - size : i] == self.header:
                answering = True
            if answering:
                learn[i] = True
                answering = ids[i] != self.end
        return ids, learn


Batch = tuple[Tensor, Tensor, Tensor, Tensor]


def collate(rows: list[tuple[list[int], list[bool]]]) -> Batch:
    """Return ids (batch, time), a mask of the places that predict an answer token, those tokens in order, and which begin an answer."""
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    learn = torch.zeros(len(rows), longest, dtype=torch.bool)
    for i, (row, mask) in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        learn[i, : len(row)] = torch.tensor(mask)
    first = learn[:, 1:] & ~learn[:, :-1]
    return ids[:, :-1], learn[:, 1:], ids[:, 1:][learn[:, 1:]], first[learn[:, 1:]]


def batches(config: Config, encode: Encoder, start: int) -> Iterator[tuple[int, Batch]]:
    """Yield pool numbers and batches of about ``batch_tokens``, rows of like length together, a pool at a time; pool n depends on n alone.

    Each stage (see ``dialogues``) draws its own mix: copying and calling first, then what turns on one decision, then the odd cases.
    """
    pool_size, pool = 600, start
    while True:
        stage = sum(pool >= first for first in config.stage_pools)
        rng = random.Random(config.seed * 1_000_003 + pool)
        rows = sorted(
            (
                row
                for row in (encode(dialogues.dialogue(rng, stage)) for _ in range(pool_size))
                if len(row[0]) <= config.context
            ),
            key=lambda row: len(row[0]),
        )
        groups: list[list[tuple[list[int], list[bool]]]] = [[]]
        for row in rows:
            if groups[-1] and (len(groups[-1]) + 1) * len(row[0]) > config.batch_tokens:
                groups.append([])
            groups[-1].append(row)
        rng.shuffle(groups)
        yield from ((pool, collate(group)) for group in groups)
        pool += 1


HELD_OUT = (
    dialogues.single_call,
    dialogues.parallel_calls,
    dialogues.no_tool_fits,
    dialogues.copying,
    dialogues.fact,
    dialogues.one_letter,
    dialogues.arithmetic,
    dialogues.persona,
)


@torch.no_grad()
def held_out_exact(model: TinyChat, encode: Encoder, count: int, device: torch.device) -> dict[str, float]:
    """Share of held-out dialogues whose every answer token is the most likely one, that is: which greedy decoding gets exactly right."""
    scores = {}
    for make in HELD_OUT:
        words = dialogues.Words(random.Random(7), held_out=True)
        right = 0
        for first in range(0, count, 32):
            rows = [encode(make(words)) for _ in range(min(32, count - first))]
            ids, where, targets, _ = collate(rows)
            with torch.autocast(device.type, torch.bfloat16):
                predicted = model(ids.to(device), where.to(device)).argmax(-1).cpu()
            owner = torch.arange(len(rows))[:, None].expand_as(where)[where]
            right += len(rows) - len(set(owner[predicted != targets].tolist()))
        scores[make.__name__] = right / count
    return scores


# -- training ----------------------------------------------------------------------------------------------------------


def rate(config: Config, step: int) -> float:
    """The learning rate as a share of its peak."""
    steps, shares = zip(*config.rates, strict=True)
    return float(np.interp(step, steps, shares))


def train(config: Config, tokenizer: Tokenizer) -> TinyChat:
    torch.manual_seed(config.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    encode, checkpoint = Encoder(tokenizer), BUILD / "checkpoint.pt"
    model = TinyChat(config, tokenizer.get_vocab_size()).to(device)
    matrices = [p for p in model.blocks.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if all(p is not m for m in matrices)]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(matrices, lr=config.lr, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=config.lr, weight_decay=0.0, betas=(0.9, 0.98)),
    ]
    step = pool = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device)
        model.load_state_dict(state["model"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        step, pool = state["step"], state["pool"]
    parameters = sum(p.numel() for p in model.parameters())
    print(
        f"{parameters:,} parameters, {tokenizer.get_vocab_size()} tokens, from step {step} of {config.steps} on {device}",
        flush=True,
    )
    stream, began, tokens, mean = batches(config, encode, pool), time.monotonic(), 0, 0.0
    while step < config.steps:
        pool, (ids, where, targets, first) = next(stream)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = config.lr * rate(config, step)
        with torch.autocast(device.type, torch.bfloat16):
            losses = F.cross_entropy(
                model(ids.to(device), where.to(device)).float(), targets.to(device), reduction="none"
            )
        # An answer's first token decides: a call or not, which letter. It is one of twenty, so it would hardly be learnt otherwise.
        weight = torch.where(first.to(device), 1.0 if pool < config.stage_pools[0] else config.decision_weight, 1.0)
        loss = (losses * weight).sum() / weight.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        step, tokens = step + 1, tokens + ids.numel()
        mean = loss.item() if step == 1 or not mean else 0.98 * mean + 0.02 * loss.item()
        if step % 50 == 0:
            seconds = time.monotonic() - began
            print(f"step {step:5d}  loss {mean:.4f}  {tokens / seconds:,.0f} tok/s  {seconds:.0f} s", flush=True)
        if step % 250 == 0 or step == config.steps:
            scores = held_out_exact(model, encode, 256 if step == config.steps else 64, device)
            print("   held out, exact: " + "  ".join(f"{key} {value:.2f}" for key, value in scores.items()), flush=True)
            torch.save(
                {
                    "model": model.state_dict(),
                    "optimizers": [o.state_dict() for o in optimizers],
                    "step": step,
                    "pool": pool + 1,
                },
                checkpoint.with_suffix(".new"),
            )
            checkpoint.with_suffix(".new").replace(checkpoint)
    return model


# -- export ------------------------------------------------------------------------------------------------------------


def export(config: Config, tokenizer: Tokenizer, model: TinyChat, path: Path) -> None:
    """Write the weights as a GGUF file in F16 (norms in F32), with complete metadata."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny-chat")
    writer.add_author("The Assay authors")
    writer.add_organization("Assay")
    writer.add_license("apache-2.0")
    writer.add_description(
        "A very small chat and tool calling model, trained from scratch on synthetic dialogues for testing pipelines"
    )
    writer.add_source_url("models/tiny-chat/train.py")
    writer.add_version("1")
    writer.add_basename("tiny-chat")
    writer.add_size_label(f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f}M")
    writer.add_languages(["en"])
    writer.add_tags(["chat", "tool-calling", "test"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    vocabulary = tokenizer.get_vocab_size()
    writer.add_vocab_size(vocabulary)
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.width)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.hidden)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.heads)
    writer.add_layer_norm_rms_eps(config.eps)
    writer.add_rope_dimension_count(config.width // config.heads)
    writer.add_rope_freq_base(config.theta)

    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    tokens = [tokenizer.id_to_token(i) for i in range(vocabulary)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([SPECIAL.get(token, gguf.TokenType.NORMAL) for token in tokens])
    writer.add_token_merges([" ".join(pair) if not isinstance(pair, str) else pair for pair in merges])
    writer.add_bos_token_id(tokenizer.token_to_id("<|endoftext|>"))
    writer.add_eos_token_id(tokenizer.token_to_id("<|im_end|>"))
    writer.add_eot_token_id(tokenizer.token_to_id("<|im_end|>"))
    writer.add_pad_token_id(tokenizer.token_to_id("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template((HERE / "chat_template.jinja").read_text())

    def add(name: str, tensor: Tensor) -> None:
        array = tensor.detach().float().cpu().numpy()
        writer.add_tensor(name, array if array.ndim == 1 else array.astype(np.float16))

    add("token_embd.weight", model.embed.weight)
    for i, block in enumerate(model.blocks):
        q, k, v = block.qkv.weight.chunk(3)
        gate, up = block.gate_up.weight.chunk(2)
        for name, tensor in {
            "attn_norm": block.attn_norm.weight,
            "attn_q": interleave(q, config.heads),
            "attn_k": interleave(k, config.heads),
            "attn_v": v,
            "attn_output": block.output.weight,
            "ffn_norm": block.ffn_norm.weight,
            "ffn_gate": gate,
            "ffn_up": up,
            "ffn_down": block.down.weight,
        }.items():
            add(f"blk.{i}.{name}.weight", tensor)
    add("output_norm.weight", model.norm.weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--export-only", action="store_true", help="write the GGUF file from the last checkpoint")
    options = parser.parse_args()
    config = Config()
    BUILD.mkdir(exist_ok=True)
    tokenizer = train_tokenizer(config)
    tokenizer.save(str(BUILD / "tokenizer.json"))
    print(f"{datetime.now():%H:%M:%S} tokenizer trained", flush=True)
    if options.export_only:
        model = TinyChat(config, tokenizer.get_vocab_size())
        model.load_state_dict(torch.load(BUILD / "checkpoint.pt", map_location="cpu")["model"])
    else:
        model = train(config, tokenizer)
    export(config, tokenizer, model, HERE / "tiny-chat-f16.gguf")


if __name__ == "__main__":
    main()
