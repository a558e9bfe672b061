from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import Subject

HEADS, FEED_FORWARD = "attention.head_count", "feed_forward_length"
EPSILONS = ("attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon", "attention.group_norm_epsilon")


class ArchitectureKeys(Rule):
    """A key that describes the model's shape is missing or 0.

    The engine builds the network from these keys before it looks at a weight: how many layers, how wide, how many
    heads. Without one, llama-server refuses the file ("key not found in model", or a "wrong shape" for a tensor that is
    right). The context length is judged by A301.

    To mend it, take a file whose conversion is complete, or set the key to the value in the publisher's `config.json`.
    """

    code = "A303"
    severity = Severity.ERROR

    def skip(self, subject: Subject) -> str:
        if subject.facts.architecture == "clip":
            return "the file is no language model"
        return "" if subject.tensors else "the file has no tensors"

    def check(self, subject: Subject) -> Iterable[Finding]:
        metadata, prefix = subject.header.metadata, subject.facts.architecture
        names = {tensor.name for tensor in subject.tensors}
        wanted = ["embedding_length", "block_count"]
        if any(name.startswith("blk.") and name.endswith((".attn_q.weight", ".attn_qkv.weight")) for name in names):
            wanted.append(HEADS)
        if "blk.0.ffn_up.weight" in names:
            wanted.append(FEED_FORWARD)
        for key in (f"{prefix}.{name}" for name in wanted):
            if not metadata.get(key):
                yield self.finding(
                    f"{key} is {'0' if key in metadata else 'missing'}: llama-server refuses the file",
                    where=key,
                    evidence=f"{key} is {metadata.get(key)!r}",
                    fix=f"take a file that has {key}, or set it as the publisher's config.json has it",
                )
        if "blk.0.attn_norm.weight" in names and not any(f"{prefix}.{key}" in metadata for key in EPSILONS):
            key = f"{prefix}.{EPSILONS[0]}"
            yield self.finding(
                "no key gives the epsilon of the norms: llama-server refuses the file",
                where=key,
                evidence=f"blk.0.attn_norm.weight is there, but neither {key} nor {prefix}.{EPSILONS[1]}",
                fix="take a complete file, or set the key as the publisher's config.json has it (rms_norm_eps)",
            )


RULE = ArchitectureKeys()
