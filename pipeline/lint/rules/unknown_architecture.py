from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import Subject

KEY = "general.architecture"
PARTS = frozenset({"adapter", "mmproj", "imatrix", "projector"})
ARCHITECTURES = frozenset(
    """
    afmoe apertus arcee arctic arwkv7 baichuan bailingmoe bailingmoe2 bailingmoe3 bert bitnet bloom chameleon
    chatglm codeshell cogvlm cohere2 cohere2moe command-r dbrx deci deepseek deepseek2 deepseek2-ocr deepseek32
    deepseek4 dflash dots1 dots3note dream eagle3 ernie4_5 ernie4_5-moe eurobert exaone exaone-moe exaone4
    falcon falcon-h1 gemma gemma-embedding gemma2 gemma3 gemma3n gemma4 gemma4-assistant glm-dsa glm4 glm4moe
    glm5-next gpt-oss gpt2 gptj gptneox granite granite_swa granitehybrid granitemoe graniteswitch grok grovemoe
    hrm_text hunyuan-dense hunyuan-moe hunyuan_vl hy_v3 hy_v4 internlm2 jais jais2 jamba jina-bert-v2
    jina-bert-v3 kimi-k3 kimi-linear laguna lfm2 lfm2moe llada llada-moe llama llama-embed llama4 maincoder
    mamba mamba2 maple mellum mimo2 minicpm minicpm3 minimax-01 minimax-m2 minimax-m3 mistral3 mistral4
    modern-bert mpt muse-glimmer nanbeige nemotron nemotron_h nemotron_h_moe neo-bert nomic-bert nomic-bert-moe
    olmo olmo2 olmoe openelm orion paddleocr pangu-embedded phi2 phi3 phimoe plamo plamo2 plamo3 plm pockettts
    qwen qwen2 qwen2moe qwen2vl qwen3 qwen35 qwen35moe qwen3moe qwen3next qwen3tts qwen3vl qwen3vlmoe qwen4exp
    refact rnd1 rwkv6 rwkv6qwen2 rwkv7 seed_oss smallthinker smollm3 spark2_5 stablelm starcoder starcoder2
    step35 t5 t5encoder talkie wavtokenizer-dec xverse
    """.split()
)
"""The names in ``llama-arch.cpp`` of llama.cpp 0c1e570, the engine that these rules were written against."""


class UnknownArchitecture(Rule):
    """llama.cpp can't serve a model of this architecture.

    The engine has code for every architecture by its name; at another name it ends with `unknown model architecture`.
    The file may be newer than the engine, or converted with a fork. A projector for images or sound (`clip`), an
    adapter or an importance matrix is a GGUF file too, but no model: it is refused in a model's place.

    To mend it, use a newer engine, or name the model's own file, not its `mmproj`, adapter or `imatrix`.
    """

    code = "A309"
    severity = Severity.ERROR

    def check(self, subject: Subject) -> Iterable[Finding]:
        name, kind = subject.facts.architecture, subject.header.metadata.get("general.type")
        if name == "clip" or kind in PARTS:
            yield self.finding(
                "the file is a part for a model, no model: llama-server refuses it",
                where=KEY,
                evidence=f"{KEY} is {name!r}, general.type is {kind!r}",
                fix="name the file of the model itself",
            )
        elif name not in ARCHITECTURES:
            near = sorted(known for known in ARCHITECTURES if known[:4] == name[:4])
            yield self.finding(
                f"llama.cpp does not know the architecture {name!r}: llama-server refuses the file",
                where=KEY,
                evidence=f"{KEY} is {name!r}" + (f", known are {', '.join(near)} and others" if near else ""),
                fix="use an engine that knows it, or a file converted for llama.cpp",
            )


RULE = UnknownArchitecture()
