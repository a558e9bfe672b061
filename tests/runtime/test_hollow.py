from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipeline.gguf.header import Header, parse_header, read_header
from pipeline.gguf.write import packed, write_gguf
from pipeline.runtime.build import EngineBuild
from pipeline.runtime.hollow import CPU_SECONDS, MEMORY_BYTES, serving, tokenizer_of, why_not, write_hollow
from pipeline.runtime.server import NotReady
from tests import zoo
from tests.gguf import build

HELLO = {"messages": [{"role": "user", "content": "Hello!"}]}


def hollow(folder: Path, header: Header) -> Path:
    write_hollow(header, folder / "hollow.gguf")
    return folder / "hollow.gguf"


def test_it_keeps_the_tokenizer_as_stored_and_nothing_else(tmp_path: Path) -> None:
    sound = read_header(zoo.SOUND)
    made = read_header(hollow(tmp_path, sound))
    ours = {key for key in sound.metadata if key.startswith("tokenizer.")}
    assert ours < set(made.metadata) and all(made.raw(key) == sound.raw(key) for key in ours)
    assert set(tokenizer_of(sound)) - ours == {"general.name"}
    assert made.metadata["llama.block_count"] == 1
    assert (tmp_path / "hollow.gguf").stat().st_blocks * 512 < 200_000


def test_the_server_says_of_it_what_it_says_of_the_whole_model(engine_build: EngineBuild, tmp_path: Path) -> None:
    said = []
    for path in (zoo.SOUND, hollow(tmp_path, read_header(zoo.SOUND))):
        with serving(engine_build, path, context=512, slots=2) as server:
            props = server.client.get("/props").json()
            prompt = server.client.post("/apply-template", json=HELLO).json()["prompt"]
            tokens = server.client.post("/tokenize", json={"content": prompt, "parse_special": True}).json()
            kept = {name: props[name] for name in ("chat_template", "chat_template_caps", "eos_token", "total_slots")}
            said.append((prompt, tokens, kept, props["default_generation_settings"]["n_ctx"]))
    assert said[0] == said[1]
    assert said[0][0].startswith("<|im_start|>user\nHello!<|im_end|>") and said[0][3] == 512


def test_the_bytes_before_the_weights_are_enough(engine_build: EngineBuild, tmp_path: Path) -> None:
    content = zoo.SOUND.read_bytes()
    header = parse_header(content[: read_header(zoo.SOUND).data_offset], len(content))
    with serving(engine_build, hollow(tmp_path, header)) as server:
        assert server.client.post("/apply-template", json=HELLO).status_code == 200


def test_it_can_be_asked_to_speak(engine_build: EngineBuild, tmp_path: Path) -> None:
    with serving(engine_build, hollow(tmp_path, read_header(zoo.SOUND))) as server:
        answer = server.client.post("/v1/chat/completions", json={**HELLO, "max_tokens": 4})
    assert answer.json()["usage"]["completion_tokens"] <= 4


def test_another_template_is_used(engine_build: EngineBuild, tmp_path: Path) -> None:
    (tmp_path / "plain.jinja").write_text("{% for message in messages %}{{ message.content }};{% endfor %}")
    path = hollow(tmp_path, read_header(zoo.SOUND))
    with serving(engine_build, path, template=tmp_path / "plain.jinja") as server:
        assert server.client.post("/apply-template", json=HELLO).json() == {"prompt": "Hello!;"}


def test_a_template_that_the_server_refuses_is_told_in_its_words(engine_build: EngineBuild, tmp_path: Path) -> None:
    zoo.DEFECTS["template-syntax-error"].make(tmp_path / "bad.gguf")
    path = hollow(tmp_path, read_header(tmp_path / "bad.gguf"))
    with pytest.raises(NotReady, match="was not ready: exit code 1") as caught, serving(engine_build, path):
        pass
    assert "chat template parsing error" in caught.value.log and caught.value.ending == "exit code 1"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the limits of another process")
def test_it_has_bounds_of_memory_and_time(engine_build: EngineBuild, tmp_path: Path) -> None:
    with serving(engine_build, hollow(tmp_path, read_header(zoo.SOUND))) as server:
        limits = Path(f"/proc/{server.pid}/limits").read_text().splitlines()
        program = Path(f"/proc/{server.pid}/exe").resolve()
    found = {line[:26].strip(): line[26:].split()[:2] for line in limits}
    assert found["Max address space"] == [str(MEMORY_BYTES)] * 2
    assert found["Max cpu time"] == [str(CPU_SECONDS)] * 2
    assert program == engine_build.server.resolve()


def test_why_a_file_can_not_be_served_hollow() -> None:
    assert why_not(read_header(zoo.SOUND)) == ""
    for architecture, said in (("llama", "has no vocabulary"), ("nomic-bert", "writes no text")):
        content = build.file([build.pair("general.architecture", build.STRING, build.text(architecture))])
        assert said in why_not(parse_header(content, len(content)))


def test_a_vocabulary_of_another_kind(engine_build: EngineBuild, tmp_path: Path) -> None:
    control, letters = ["<unk>", "<s>", "</s>"], ["▁", "a", "b", "▁a"]
    texts = [*control, *(f"<0x{number:02X}>" for number in range(256)), *letters]
    metadata = {
        "general.architecture": packed("gemma2"),
        "tokenizer.ggml.model": packed("llama"),
        "tokenizer.ggml.tokens": packed(texts),
        "tokenizer.ggml.scores": packed([0.0] * 259 + [-1.0, -2.0, -3.0, -0.5]),
        "tokenizer.ggml.token_type": packed([2, 3, 3] + [6] * 256 + [1] * 4, 5),
        "tokenizer.ggml.bos_token_id": packed(1),
        "tokenizer.ggml.eos_token_id": packed(2),
    }
    write_gguf(tmp_path / "spm.gguf", metadata)
    with serving(engine_build, hollow(tmp_path, read_header(tmp_path / "spm.gguf"))) as server:
        said = server.client.post("/tokenize", json={"content": "a b", "add_special": True}).json()
    assert [texts[number] for number in said["tokens"]] == ["<s>", "▁a", "▁", "b"]
