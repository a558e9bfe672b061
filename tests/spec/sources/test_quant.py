from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UsageError
from pipeline.spec.sources._quant import is_quant, is_weights, pick_quant, quant_of


@pytest.mark.parametrize(
    ("path", "quant"),
    [
        ("Qwen3-0.6B-Q8_0.gguf", "Q8_0"),
        ("qwen2.5-0.5b-instruct-q4_k_m.gguf", "Q4_K_M"),
        ("llama-2-7b.Q3_K_S.gguf", "Q3_K_S"),
        ("model-q4-k-m.gguf", "Q4_K_M"),
        ("gemma-3-4b-it-IQ4_XS.gguf", "IQ4_XS"),
        ("gemma-3-4b-it-IQ4_NL.gguf", "IQ4_NL"),
        ("m-IQ3_XXS.gguf", "IQ3_XXS"),
        ("m.Q4_0_4_8.gguf", "Q4_0_4_8"),
        ("m-TQ2_0.gguf", "TQ2_0"),
        ("gpt-oss-20b-MXFP4.gguf", "MXFP4"),
        ("m-MXFP4_MOE.gguf", "MXFP4_MOE"),
        ("m-BF16.gguf", "BF16"),
        ("m.f16.gguf", "F16"),
        ("m-fp16.gguf", "F16"),
        ("m-F32.gguf", "F32"),
        ("m-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("UD-Q4_K_XL/m-UD-Q4_K_XL-00001-of-00002.gguf", "UD-Q4_K_XL"),
        ("Q4_K_M/m-00001-of-00002.gguf", "Q4_K_M"),
        ("BF16/m-Q8_0.gguf", "Q8_0"),
        ("ggml-model-f16-Q4_K_M.gguf", "Q4_K_M"),
        ("Q8_0-1.gguf", "Q8_0"),
        ("m-Q8.gguf", "Q8"),
        ("model.gguf", None),
        ("q-learning-7b.gguf", None),
        ("m-Q4_K_Mx.gguf", "Q4_K_MX"),
        ("m-Q4_K_R4.gguf", "Q4_K_R4"),
        ("m-Q4_K_M-v2.gguf", "Q4_K_M"),
        ("m-Q4_K_M_imat.gguf", "Q4_K_M"),
        ("f16_q4_k.gguf", "Q4_K"),
        ("xQ4_0.gguf", None),
        ("Q4_0/../../../etc.gguf", "Q4_0"),
        ("", None),
    ],
)
def test_the_quant_of_a_file_is_in_its_name(path: str, quant: str | None) -> None:
    assert quant_of(path) == quant


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("m-Q4_0.gguf", True),
        ("explora-Q4_0.gguf", True),
        ("m-Q4_0.safetensors", False),
        ("mmproj-model-f16.gguf", False),
        ("m.MMPROJ-f16.gguf", False),
        ("mmproj/m-f16.gguf", False),
        ("m-imatrix.gguf", False),
        ("m.imatrix", False),
        ("m_lora.gguf", False),
    ],
)
def test_projectors_matrices_and_adapters_are_no_weights(path: str, is_one: bool) -> None:
    assert is_weights(path) is is_one


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("Q4_K", "m-Q4_K.gguf"),
        ("q4_k_m", "m-Q4_K_M.gguf"),
        ("Q4_K_XL", "m-UD-Q4_K_XL.gguf"),
        ("UD-Q4_K_XL", "m-UD-Q4_K_XL.gguf"),
        ("UD-Q8_0", None),
        ("fp16", "m-f16.gguf"),
        ("Q4", None),
        ("Q2_K", "x/m-00001-of-00002.gguf"),
    ],
)
def test_a_quant_is_never_a_part_of_another(wanted: str, path: str | None) -> None:
    paths = ["m-Q4_K.gguf", "m-Q4_K_M.gguf", "m-UD-Q4_K_XL.gguf", "m-Q8_0.gguf", "m-f16.gguf", "mmproj-f16.gguf"]
    if wanted == "Q2_K":
        path = "Q2_K/m-00001-of-00002.gguf"
        paths += [path, "Q2_K/m-00002-of-00002.gguf"]
    if path is None:
        with pytest.raises(UsageError, match=f"no file is {wanted}"):
            pick_quant(paths, wanted, "here")
    else:
        assert pick_quant(paths, wanted, "here").paths[0] == path


def test_two_spellings_of_a_publisher_are_two_candidates() -> None:
    with pytest.raises(UsageError, match="may be any of"):
        pick_quant(["m-Q4_K_XL.gguf", "m-UD-Q4_K_XL.gguf"], "Q4_K_XL", "here")
    assert pick_quant(["m-Q4_K_XL.gguf", "m-UD-Q4_K_XL.gguf"], "UD-Q4_K_XL", "here").paths == ("m-UD-Q4_K_XL.gguf",)


def test_a_long_list_is_cut() -> None:
    with pytest.raises(UsageError, match=r"and 99988 more") as caught:
        pick_quant([f"m{number:06}-Q4_0.gguf" for number in range(100_000)], "Q4_0", "here")
    assert len(caught.value.message) < 500
    with pytest.raises(UsageError, match=r"of the set of 99999 files these are missing: .* and 99986 more"):
        pick_quant(["m-Q4_0-00001-of-99999.gguf"], "Q4_0", "here")


@given(st.lists(st.text()), st.text())
def test_picking_raises_nothing_else(paths: list[str], quant: str) -> None:
    try:
        found = pick_quant([*paths, *(f"{path}.gguf" for path in paths)], quant, "here")
    except UsageError:
        return
    assert all(is_weights(path) for path in found.paths)


@given(st.text())
def test_a_quant_is_one_plain_word(text: str) -> None:
    assert not is_quant(text) or (text.isascii() and text.isprintable() and " " not in text and "/" not in text)
