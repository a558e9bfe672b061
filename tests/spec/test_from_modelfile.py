from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UsageError
from pipeline.spec import yaml
from pipeline.spec.from_modelfile import spec_of
from pipeline.spec.load import check
from pipeline.spec.model import Spec
from pipeline.spec.modelfile import Modelfile, Parameter, modelfile_of, read_modelfile

HEX = "0123456789abcdef" * 4


def spec(text: str, **how: Any) -> tuple[Spec, list[str]]:
    """Return the checked spec of a Modelfile, and the notes."""
    written, notes = spec_of(read_modelfile(text), "tiny", **how)
    return check(yaml.parse(written, "tiny.yaml"), Spec), notes


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ("qwen3:0.6b", "ollama://qwen3:0.6b"),
        ("me/mine", "ollama://me/mine"),
        ("https://registry.example.org/me/mine:1", "ollama://registry.example.org/me/mine:1"),
        ("./tiny.gguf", "file:tiny.gguf"),
        ("tiny.GGUF", "file:tiny.GGUF"),
        ("../weights/a b #1.gguf", "file:../weights/a b #1.gguf"),
        ("hf.co/org/repo:Q8_0", "hf://org/repo:Q8_0"),
        ("https://huggingface.co/org/repo:Q8_0", "hf://org/repo:Q8_0"),
        ("hf.co/org/repo:tiny-q8_0.gguf", "hf://org/repo/tiny-q8_0.gguf"),
        ("hf.co/org/repo", "hf://org/repo:Q4_K_M"),
        ("hf.co/org/repo:latest", "hf://org/repo:Q4_K_M"),
    ],
)
def test_sources(value: str, source: str) -> None:
    found, notes = spec(f"FROM {value}\nPARAMETER temperature 0\n")
    assert found.source == source
    assert notes == (
        []
        if "Q4_K_M" not in source
        else [f"FROM {value} names no quant: Q4_K_M is taken, as Ollama does where it is there"]
    )


def test_a_path_counts_from_where_the_modelfile_lies() -> None:
    assert spec("FROM ./tiny.gguf", folder="../models")[0].source == "file:../models/tiny.gguf"


def test_a_blob_of_the_store_is_the_model_that_it_is_of() -> None:
    found, _ = spec(f"# FROM qwen3:0.6b\nFROM /usr/share/ollama/.ollama/models/blobs/sha256-{HEX}\n")
    assert (found.source, found.sha256) == ("ollama://qwen3:0.6b", f"sha256:{HEX}")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (f"/x/blobs/sha256-{HEX}", "is a file in Ollama's store, which says of no model"),
        ("/models/tiny.gguf", "is a path of this machine alone"),
        ("./safetensors", "is no GGUF file"),
        (".", "is no GGUF file"),
        ("a b", "names no model"),
        ("hf.co/org/repo:wh at", "after the colon stands a quant"),
    ],
)
def test_sources_that_no_spec_can_have(value: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        spec(f"FROM {value}\n")
    assert caught.value.hint


def test_parameters_go_where_a_spec_has_them() -> None:
    names = ["temperature 0.7", "top_k 20", "top_p 0.8", "min_p 0", "repeat_penalty 1.1", "seed 42"]
    names += ["num_predict 256", "num_ctx 8192", "num_gpu 33", "num_thread 8", "num_batch 128", "use_mmap true"]
    names += ['stop "<|im_end|>"', "stop no", "top_k 30"]
    found, notes = spec("FROM x\n" + "\n".join(f"PARAMETER {one}" for one in names))
    assert notes == []
    assert found.sampling.model_dump() == {
        "temperature": 0.7,
        "top_k": 30,
        "top_p": 0.8,
        "min_p": 0.0,
        "repeat_penalty": 1.1,
        "seed": 42,
        "max_tokens": 256,
    }
    engine = found.engine
    assert (engine.context, engine.gpu_layers, engine.threads) == (8192, 33, 8)
    assert (engine.batch, engine.micro_batch, engine.load) == (128, 128, "mmap")
    assert found.chat.stop == ("<|im_end|>", "no")


def test_numbers_as_people_write_them() -> None:
    found, _ = spec("FROM x\nPARAMETER temperature 1\nPARAMETER num_ctx 4096.0\nPARAMETER min_p 1e-2\n")
    assert (found.sampling.temperature, found.engine.context, found.sampling.min_p) == (1.0, 4096, 0.01)


@pytest.mark.parametrize(
    "parameter",
    [
        "temperature hot",
        "temperature -1",
        "top_p 3",
        "top_k 1.5",
        "num_ctx 0",
        "num_ctx true",
        "seed 99999999999",
        "top_p nan",
        "min_p inf",
        f"seed {'9' * 5000}",
    ],
)
def test_values_that_no_spec_can_have(parameter: str) -> None:
    with pytest.raises(UsageError, match="line 3 of the Modelfile: ") as caught:
        spec(f"FROM x\n\nPARAMETER {parameter}\n")
    assert "a spec calls it" in caught.value.hint and len(caught.value.message) < 200


def test_what_is_left_out_is_told() -> None:
    text = """FROM x
FROM ./mmproj.gguf
PARAMETER mirostat 1
PARAMETER seed -1
PARAMETER num_predict -1
TEMPLATE {{ .Prompt }}
SYSTEM Be brief.
MESSAGE user hi
ADAPTER ./lora.gguf
LICENSE Mine
PARSER qwen3
"""
    _, notes = spec(text)
    beginnings = [
        "FROM ./mmproj.gguf",
        "LICENSE",
        "PARAMETER mirostat 1",
        "PARAMETER seed -1",
        "PARAMETER num_predict -1",
    ]
    beginnings += ["no temperature is said", "TEMPLATE", "SYSTEM", "1 MESSAGE", "ADAPTER ./lora.gguf", "PARSER qwen3"]
    assert [note[: len(start)] for note, start in zip(notes, beginnings, strict=True)] == beginnings


def test_a_licence_that_is_known() -> None:
    assert spec("FROM x\nLICENSE MIT License\n")[0].license.id == "mit"
    both = 'FROM x\nLICENSE MIT License\nLICENSE """Apache License\nVersion 2.0"""\n'
    assert spec(both)[0].license.id is None


def test_there_and_back() -> None:
    first, _ = spec('FROM ./tiny.gguf\nPARAMETER temperature 0.5\nPARAMETER stop "a\nb"\nPARAMETER num_ctx 512\n')
    again, _ = spec(modelfile_of("./tiny.gguf", first.content()))
    assert again == first


@given(st.lists(st.text(min_size=1, max_size=8), max_size=3))
def test_any_stop_strings_survive_yaml(stops: list[str]) -> None:
    given_ = Modelfile(("x",), parameters=tuple(Parameter("stop", stop, 1) for stop in stops))
    written, _ = spec_of(given_, "tiny")
    assert check(yaml.parse(written, "tiny.yaml"), Spec).chat.stop == tuple(stops)
