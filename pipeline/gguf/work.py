"""How much work a token is: the bytes of weights and KV cache that decoding one reads, the operations that it takes.

What a machine's memory bandwidth and arithmetic allow at most follows from these (Williams, Waterman and Patterson,
"Roofline", 2009).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.gguf.header import Header, Tensor
from pipeline.gguf.memory import kv_bytes

EMBEDDING, OUTPUT = "token_embd.weight", "output.weight"


@dataclass(frozen=True)
class Work:
    """Of one token. ``weight_bytes``: weights that are read for it, of a mixture's experts only those that are used;
    ``kv_bytes``: what each earlier token adds to that; ``operations``: multiplications and additions with the weights
    (attention over the context, small until it is long, is left out). ``dense_bytes`` is all weights but rows of
    embeddings: what a batch of many tokens reads.
    """

    weight_bytes: int
    dense_bytes: int
    kv_bytes: int
    operations: int

    def decode_bytes(self, depth: float) -> float:
        """Return the bytes read for one token behind ``depth`` others."""
        return self.weight_bytes + self.kv_bytes * depth


def work(headers: Sequence[Header], *, cache_type_k: str = "f16", cache_type_v: str = "f16") -> Work:
    """Return the work of a model, by the headers of its files, the first first. Raises GgufError as ``kv_bytes`` does."""
    tensors = [tensor for header in headers for tensor in header.tensors]
    names = {tensor.name for tensor in tensors}
    used = _used_share(headers[0])
    touched = dense = operations = 0
    for tensor in tensors:
        if tensor.name == EMBEDDING and OUTPUT in names:
            continue  # one row a token
        share = used if _is_expert(tensor) else 1.0
        dense += tensor.nbytes
        touched += int(tensor.nbytes * share)
        if len(tensor.shape) > 1:
            operations += int(2 * tensor.elements * share)
    return Work(touched, dense, kv_bytes(headers[0], cache_type_k=cache_type_k, cache_type_v=cache_type_v), operations)


def _is_expert(tensor: Tensor) -> bool:
    """Whether a tensor holds the experts of a mixture, one beside the other (``blk.0.ffn_up_exps.weight``)."""
    return "_exps." in tensor.name and len(tensor.shape) == 3


def _used_share(header: Header) -> float:
    prefix = header.metadata.get("general.architecture")
    used, count = (header.metadata.get(f"{prefix}.{key}") for key in ("expert_used_count", "expert_count"))
    return used / count if isinstance(used, int) and isinstance(count, int) and 0 < used <= count else 1.0
