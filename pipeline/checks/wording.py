"""Whether an answer says a text, letter case aside."""

from __future__ import annotations

import re


def says(content: str, text: str) -> bool:
    """Tell whether ``text`` stands in ``content``. A number in it is not found within another: 6 is neither in 16 nor in
    6.5, but in 6.0; other text is found within words, as ``sun`` is in ``sunny``.
    """
    wanted = re.escape(text.casefold())
    before = r"(?<!\d)(?<!\d[.,])" if text[:1].isdecimal() else ""
    after = r"(?!\d)(?!,\d{3})(?!\.\d*[1-9])" if text[-1:].isdecimal() else ""
    return re.search(before + wanted + after, content.casefold()) is not None
