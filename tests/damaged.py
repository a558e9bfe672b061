"""Weights that were damaged where no digest of the header tells."""

from __future__ import annotations

import shutil
from pathlib import Path

import gguf
import numpy as np


def with_nan(source: Path, target: Path, tensor: str = "output_norm.weight") -> Path:
    """Copy a model with one F32 tensor made of what is no number: so are all its logits then."""
    found = next(one for one in gguf.GGUFReader(source).tensors if one.name == tensor)
    assert found.tensor_type == gguf.GGMLQuantizationType.F32
    shutil.copyfile(source, target)
    with target.open("r+b") as file:
        file.seek(int(found.data_offset))
        file.write(np.full(int(found.n_elements), np.nan, np.float32).tobytes())
    return target
