"""Requests that chance makes out of good ones: bodies, heads and framing."""

from __future__ import annotations

import json
import random
from copy import deepcopy
from typing import Any

from pipeline.deploy.door.paths import POSTS

HELLO = [{"role": "user", "content": "Hello!"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "f",
        "description": "",
        "parameters": {"type": "object", "properties": {"a": {"type": "string"}}},
    },
}
CALL = {"type": "function", "id": "1", "function": {"name": "f", "arguments": '{"a": "b"}'}}
CHAT: dict[str, Any] = {
    "model": "small",
    "messages": [{"role": "system", "content": "Be brief."}, *HELLO, {"role": "assistant", "tool_calls": [CALL]}],
    "max_tokens": 1,
    "stream": False,
    "stop": ["x"],
    "tools": [TOOL],
    "tool_choice": "auto",
    "temperature": 0.5,
    "response_format": {"type": "text"},
}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"]}
BODIES: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", CHAT),
    (
        "/v1/chat/completions",
        {"messages": HELLO, "max_tokens": 1, "stream": True, "stream_options": {"include_usage": True}},
    ),
    (
        "/v1/chat/completions",
        {
            "messages": HELLO,
            "max_tokens": 1,
            "response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}},
        },
    ),
    (
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}], "max_tokens": 1},
    ),
    (
        "/v1/completions",
        {"prompt": "a", "max_tokens": 1, "logprobs": 1, "seed": 1, "echo": False, "n": 1, "suffix": ""},
    ),
    ("/v1/completions", {"prompt": ["a", [64, 65]], "max_tokens": 1, "stream": True}),
    (
        "/completion",
        {"prompt": "a", "n_predict": 1, "grammar": 'root ::= "a" | "b"', "samplers": ["top_k"], "top_k": 3},
    ),
    ("/infill", {"input_prefix": "a", "input_suffix": "b", "n_predict": 1}),
    ("/v1/responses", {"input": "a", "max_output_tokens": 1, "instructions": "b", "stream": False}),
    (
        "/v1/responses",
        {"input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]}]},
    ),
    ("/v1/messages", {"messages": HELLO, "max_tokens": 1, "system": "a", "stop_sequences": ["x"]}),
    (
        "/v1/messages",
        {
            "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}],
            "max_tokens": 1,
            "stream": True,
            "tools": [{"name": "f", "input_schema": SCHEMA}],
        },
    ),
    ("/v1/messages/count_tokens", {"messages": HELLO}),
    ("/v1/chat/completions/input_tokens", {"messages": HELLO}),
    ("/v1/embeddings", {"input": ["a"], "encoding_format": "float"}),
    ("/v1/rerank", {"query": "a", "documents": ["b", "c"], "top_n": 1}),
    ("/tokenize", {"content": "a", "add_special": False, "with_pieces": True}),
    ("/detokenize", {"tokens": [1, 2]}),
    ("/apply-template", {"messages": HELLO}),
]
ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, -(2**31), 2**63, 2**70, 0.5, -1e308, 1e308, 1e400, float("nan")),
    *(
        "",
        "a",
        "x" * 5000,
        "\0",
        "\ud800",
        "\U0001f600",
        "sha256:",
        "http://127.0.0.1:1/",
        "data:image/png;base64,AAAA",
    ),
    *(
        '{"a": 1}',
        "[" * 300,
        "<|im_start|>",
        "{{ x }}",
        "root ::= root",
        [],
        {},
        [[]],
        [None],
        [{}],
        {"": {}},
        {"a": {"a": []}},
    ),
    *(["a"] * 300, {"type": "x"}, {"$ref": "#"}, {"type": ["object", 5]}, [1, "a", None]),
]
NAMES = """
    model messages prompt input max_tokens n_predict stream stop tools tool_choice response_format json_schema
    grammar temperature top_k top_p min_p typical_p seed n n_probs logprobs top_logprobs logit_bias samplers
    mirostat dry_multiplier dry_base dry_sequence_breakers xtc_probability dynatemp_range repeat_penalty
    repeat_last_n frequency_penalty n_keep n_discard n_indent id_slot cache_prompt t_max_predict_ms
    reasoning_format reasoning_effort chat_template_kwargs add_generation_prompt parallel_tool_calls
    parse_tool_calls return_tokens timings_per_token response_fields lora speculative.n_max ignore_eos role
    content type text name arguments tool_calls function parameters properties required enum anyOf items
    pattern minimum maxLength image_url input_audio source system thinking metadata previous_response_id
    instructions include encoding_format dimensions user store grammar_triggers chat_parser chat_format
    generation_prompt
""".split()
METHODS = "GET POST PUT DELETE HEAD OPTIONS PATCH TRACE CONNECT PRI post G\0T".split(" ")
PATHS = [
    *POSTS,
    "/props",
    "/v1/models",
    "/v1/models/small",
    "/v1/models/%00%ff",
    "/metrics",
    "/livez",
    "/slots",
    "/",
    "*",
    "//",
    "/v1/../props",
]
HEADERS = [
    b"Host: evil.example",
    b"Host: localhost:99999",
    b"Origin: https://evil.example",
    b"Origin: null",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding : chunked",
    b"Content-Length: 5",
    b"Content-Length: -1",
    b"Content-Length: 99999999999999999999",
    b"Content-Encoding: gzip",
    b"Content-Type: multipart/form-data; boundary=x",
    b"Content-Type: application/json; charset=utf-16",
    b"Expect: 100-continue",
    b"Expect: 200-ok",
    b"Upgrade: h2c\r\nConnection: Upgrade",
    b"Connection: close, keep-alive",
    b"X-Folded: one\r\n two",
    b"X-Nul: a\0b",
    b"X-Long: " + b"y" * 20_000,
    b"X-High: \xff\xfe",
    b": empty",
    b"No colon",
    b"Authorization: Basic YTpi",
    b"X-Api-Key: \xff",
    b"Range: bytes=0-5",
    b"Accept: text/event-stream",
    b"\xe2\x80\xa8: a",
]


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
        return raw + raw if pick.random() < 0.03 else raw

    def body(self, good: dict[str, Any]) -> bytes:
        """Return a body that is almost good."""
        pick = self._pick
        changed = json.loads(json.dumps(good))
        for _ in range(pick.choice([0, 1, 1, 1, 1, 2, 3])):
            self.change(changed)
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
