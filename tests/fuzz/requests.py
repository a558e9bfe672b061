"""Requests that chance makes out of good ones: bodies, heads and framing."""

from __future__ import annotations

import json
import random
from copy import deepcopy
from typing import Any

from tests.fuzz.pieces import BODIES, GRAMMAR, HEADERS, METHODS, NAMES, ODD, PATHS, PATTERN


class Maker:
    """Makes requests by chance; the same from the same number."""

    def __init__(self, seed: int, key: str) -> None:
        self._pick, self._key = random.Random(seed), key.encode()

    def one(self) -> bytes:
        """Return a request as it goes over the wire."""
        pick = self._pick
        path, good = pick.choice(BODIES)
        body = self.body(good)
        method = "POST"
        if pick.random() < 0.1:
            method, path = pick.choice(METHODS), pick.choice(PATHS)
        lines = [
            f"{method} {path} HTTP/1.1".encode("latin-1"),
            b"Host: localhost",
            b"Authorization: Bearer " + self._key,
        ]
        framed = body
        if pick.random() < 0.15:
            lines.append(b"Transfer-Encoding: chunked")
            framed = self.chunks(body)
        elif pick.random() < 0.95:
            lines.append(b"Content-Length: %d" % (len(body) + pick.choice([0] * 30 + [1, -1])))
        for _ in range(pick.choice([0, 0, 0, 0, 1, 2])):
            lines.insert(pick.randint(1, len(lines)), pick.choice(HEADERS))
        if pick.random() < 0.04:
            del lines[pick.randrange(len(lines))]
        end = b"\n" if pick.random() < 0.02 else b"\r\n"
        raw = end.join(lines) + end + end + framed
        if pick.random() < 0.03:
            raw = self.noise(raw)
        return (raw + raw if pick.random() < 0.03 else raw) or b"\r\n"

    def body(self, good: dict[str, Any]) -> bytes:
        """Return a body that is almost good."""
        pick = self._pick
        changed = json.loads(json.dumps(good))
        for _ in range(pick.choice([0, 1, 1, 1, 1, 2, 3])):
            self.change(changed)
        if pick.random() < 0.08 and isinstance(changed, dict):
            changed["grammar"] = "root ::= " + " ".join(pick.choices(GRAMMAR, k=pick.randint(1, 20)))
        elif pick.random() < 0.1 and isinstance(changed, dict):
            wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": self.schema(4)}}
            changed["response_format"] = wanted
        if isinstance(changed, dict):
            changed.pop("ignore_eos", None)  # an endless answer is no fault
        text = json.dumps(changed, ensure_ascii=pick.random() < 0.5)
        if pick.random() < 0.05:
            text = text.replace('"max_tokens":', '"max_tokens": 1, "max_tokens":')
        if pick.random() < 0.02:
            depth = pick.choice([50, 190, 250, 5000])
            text = text[:-1] + ', "deep": ' + "[" * depth + "]" * depth + "}"
        raw = text.encode(errors="surrogatepass")
        return self.noise(raw) if pick.random() < 0.1 else raw

    def change(self, content: Any) -> None:
        """Change one place of a value."""
        pick, place = self._pick, content
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            inner = [key for key in keys if isinstance(place[key], (dict, list)) and place[key]]
            if not inner or pick.random() < 0.5:
                break
            place = place[pick.choice(inner)]
        what = pick.random()
        if isinstance(place, dict) and (what < 0.35 or not keys):
            place[pick.choice(NAMES)] = self.odd()
        elif keys and what < 0.5:
            del place[pick.choice(keys)]
        elif keys and what < 0.9:
            place[pick.choice(keys)] = self.odd()
        elif isinstance(place, list):
            place += [self.odd()] * pick.choice([1, 2, 50])

    def schema(self, levels: int) -> Any:
        """Return a schema of whatever keywords, most of which fit."""
        pick, made = self._pick, dict[str, Any]()
        if levels == 0 or pick.random() < 0.05:
            return (
                self.odd() if pick.random() < 0.3 else {"type": pick.choice(["string", "integer", "null", "boolean"])}
            )
        for _ in range(pick.randint(1, 3)):
            below = self.schema(levels - 1)
            made |= pick.choice(
                [
                    {"type": "object", "properties": {"a": below, '"\n': {"type": "string"}}, "required": ["a", "c"]},
                    {"type": "array", "items": below, "minItems": pick.randint(0, 5), "maxItems": pick.randint(0, 9)},
                    {"type": "array", "prefixItems": [below, below]},
                    {"type": "string", "pattern": "".join(pick.choices(PATTERN, k=pick.randint(1, 12)))},
                    {"type": "string", "format": pick.choice(["date", "uuid", "time", "date-time", "x", ""])},
                    {"type": "string", "minLength": pick.randint(0, 9), "maxLength": pick.randint(0, 99)},
                    {
                        "type": "integer",
                        "minimum": pick.choice([-(2**63), -5, 0, 9]),
                        "maximum": pick.choice([2**63, 0, 99]),
                    },
                    {pick.choice(["anyOf", "oneOf", "allOf"]): [below, self.schema(levels - 1)]},
                    {
                        "$ref": pick.choice(["#/$defs/a", "#/$defs/b", "#", "#/properties/a", "x"]),
                        "$defs": {"a": below},
                    },
                    {"enum": [1, "a", None, {"a": [1]}, '"\\']},
                    {"const": self.odd()},
                    {"type": ["string", "null", "object"], "additionalProperties": below},
                ]
            )
        return made

    def odd(self) -> Any:
        """Return a value that nobody expects there."""
        return deepcopy(self._pick.choice(ODD))

    def chunks(self, body: bytes) -> bytes:
        """Return a body in chunks, some of them wrong."""
        pick, made = self._pick, b""
        while body:
            size = pick.randint(1, len(body))
            said = b"%x" % size
            if pick.random() < 0.05:
                said = pick.choice(
                    [b"-1", b"0x5", b"g", b"fffffffffffffffffff", b" 5", b"5;a=\0", b"5;" + b"x" * 5000, b""]
                )
            made += said + pick.choice([b"\r\n"] * 30 + [b"\n", b"\r"]) + body[:size] + b"\r\n"
            body = body[size:]
        return made + pick.choice([b"0\r\n\r\n"] * 10 + [b"0\r\nTrailer: x\r\n\r\n", b"", b"00000\r\n\r\n"])

    def noise(self, raw: bytes) -> bytes:
        """Return bytes with some changed, lost or doubled."""
        pick, made = self._pick, bytearray(raw)
        for _ in range(pick.randint(1, 3)):
            at = pick.randrange(len(made)) if made else 0
            what = pick.randrange(4)
            if what == 0 and made:
                made[at] = pick.randrange(256)
            elif what == 1:
                del made[at : at + pick.randint(1, 20)]
            elif what == 2:
                made[at:at] = pick.randbytes(pick.randint(1, 8))
            else:
                del made[at:]
        return bytes(made)
