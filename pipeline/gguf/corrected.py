"""A header as the engine sees it when some keys are overridden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pipeline.gguf.header import Header
from pipeline.gguf.values import Source
from pipeline.gguf.write import packed


def corrected(header: Header, values: Mapping[str, bool | int | str]) -> Header:
    """Return ``header`` with ``values`` in place of its own: token ids as uint32, truth values and texts. It is the same
    one where there are none.
    """
    if not values:
        return header
    data, spans = bytes(header.source.data), dict(header.spans)
    for key, value in values.items():
        raw = packed(value)
        spans[key] = (int.from_bytes(raw[:4], "little"), len(data), len(data) + len(raw) - 4)
        data += raw[4:]
    return replace(header, metadata={**header.metadata, **values}, source=Source(data), spans=spans)
