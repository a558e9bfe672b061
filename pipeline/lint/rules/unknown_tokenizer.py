from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import Subject

MODEL, PRE, TOKENS = "tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.tokens"
BPE = frozenset({"gpt2", "hybriddna", "whitespace"})
TOKENIZERS = BPE | {"llama", "bert", "t5", "rwkv", "plamo2", "gemma4", "no_vocab", "none", "test"}
PRE_TOKENIZERS = frozenset(
    """
    a.x-4.0 afmoe bailingmoe bailingmoe2 bloom chameleon chatglm-bpe codeshell cohere2moe command-r dbrx deepseek-coder
    deepseek-llm deepseek-r1-qwen deepseek-v3 default exaone exaone-moe exaone4 f2llmv2 falcon falcon-h1 falcon3 gemma4
    gigachat glm4 glm5 gpt-2 gpt-4o gpt3-finnish granite-docling granite-embed-multi-311m granite-embed-multi-97m
    grok-2 hunyuan hunyuan-dense hy_v4 jais jais-2 jina-de jina-es jina-v1-en jina-v2-code jina-v2-de jina-v2-es
    jina-v5-nano joyai-llm kanana2 kimi-k2 kormo laguna lfm2 llada-moe llama-bpe llama-v3 llama3 llama4 megrez mellum
    mellum2 midm-2.0 minerva-7b minicpm5 minimax-m2 modern-bert mpt olmo phi-2 pixtral poro-chat qwen2 qwen35 refact
    roberta-bpe sarvam-moe seed-coder smaug-bpe smollm solar-open spark2_5 stablelm2 starcoder superbpe talkie tekken
    tiny_aya trillion ufakzeka viking whitespace youtu
    """.split()
)
"""The names in ``llama-vocab.cpp`` of llama.cpp 0c1e570, the engine that these rules were written against."""


class UnknownTokenizer(Rule):
    """llama.cpp does not know the file's tokenizer, so it refuses the file.

    A file says with `tokenizer.ggml.model` which kind of tokenizer it has and, for BPE, with `tokenizer.ggml.pre` how
    text is split before merging. A name that the engine doesn't know ends the start with `unknown pre-tokenizer type`
    or `unknown tokenizer`; so does a file without a vocabulary. The file may be newer than the engine: names are added
    with new model families.

    To mend it, use a newer engine, or set the key to the name that the engine's converter gives this tokenizer.
    """

    code = "A207"
    severity = Severity.ERROR

    def skip(self, subject: Subject) -> str:
        return "the file is no language model" if subject.facts.architecture == "clip" else ""

    def check(self, subject: Subject) -> Iterable[Finding]:
        model, pre = subject.facts.tokenizer_model, subject.facts.tokenizer_pre
        if model not in TOKENIZERS:
            yield self.finding(
                f"{MODEL} is {'missing' if model is None else repr(model)}: llama-server refuses the file",
                where=MODEL,
                evidence=f"{MODEL} is {model!r}, known are {', '.join(sorted(TOKENIZERS - {'test', 'none'}))}",
                fix="use an engine that knows this tokenizer, or convert the model again with a current llama.cpp",
            )
        elif model not in ("no_vocab", "none") and TOKENS not in subject.header.metadata:
            yield self.finding(
                "the file has no vocabulary: llama-server refuses it",
                where=TOKENS,
                evidence=f"{MODEL} is {model!r}, but there is no {TOKENS}",
                fix="convert the model again with its tokenizer's files at hand",
            )
        if model in BPE and pre and pre not in PRE_TOKENIZERS:
            near = sorted(name for name in PRE_TOKENIZERS if name[:4] == pre[:4])
            yield self.finding(
                f"{PRE} is {pre!r}, which llama.cpp does not know: llama-server refuses the file",
                where=PRE,
                evidence=f"{PRE} is {pre!r}" + (f", known are {', '.join(near)} and others" if near else ""),
                fix=f"use an engine that knows it, or set {PRE} to the name that the engine's converter gives",
            )


RULE = UnknownTokenizer()
