"""Whose fault an engine's 500 is: some of llama-server's are about the request, and go out as 400."""

from __future__ import annotations

import json
import re

# What llama-server throws while it reads a request, before it generates: messages of the pinned commit.
_REQUEST = re.compile(
    r"\[json\.exception\.|Failed to parse |Cannot specify |Cannot use |Only no echo |Unsupported param|Invalid base64"
    r"|Invalid token|Failed to tokenize prompt|for mtmd, |(?:image|audio|video) input is not supported|Failed to load image"
    r"|'\w+' (?:is required|must be)|Unsupported JSON value|\w+ param requires |While executing |Jinja Exception"
    r"|input \(\d+ tokens\) is too large to process|vector::_M_range_check|basic_string::at|Unknown reasoning format"
)


def of_request(body: bytes) -> str | None:
    """Return the message of an error that the request is to blame for; None for one of the engine's own."""
    try:
        message = json.loads(body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return None
    return message if isinstance(message, str) and _REQUEST.match(message.strip()) else None
