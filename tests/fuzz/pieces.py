"""Good requests, and what they are changed into: odd values, names, heads, pieces of grammars and patterns."""

from __future__ import annotations

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
GRAMMAR = [
    "root",
    "::=",
    "a",
    "b",
    '"x"',
    "[a-z]",
    "[^",
    "(",
    ")",
    "|",
    "*",
    "+",
    "?",
    "{1,3}",
    "{",
    "}",
    ".",
    "\\n",
    "\n",
    "#",
    '"',
    "]",
]
PATTERN = [
    "^",
    "$",
    "a",
    "b",
    "(",
    ")",
    "[",
    "]",
    "a-z",
    "\\d",
    "\\",
    "|",
    "*",
    "+",
    "?",
    "{2}",
    "{1,3}",
    "{,3}",
    ".",
    "(?:",
    "(?=",
    "-",
    "\n",
]
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
