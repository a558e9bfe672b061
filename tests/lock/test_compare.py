from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.digest import Digest
from pipeline.core.errors import NetworkError
from pipeline.gguf.header import read_header
from pipeline.lock.compare import SAMPLE_BYTES, Part, Weights, compare, tensor_digest
from pipeline.lock.remote import read_remote_header
from pipeline.runtime.build import EngineBuild
from pipeline.spec.sources.url import open as open_url
from tests import zoo
from tests.origin import Origin, origin

ROOT = Path("/nowhere")


@pytest.fixture
def server() -> Iterator[Origin]:
    with origin() as running:
        yield running


def here(*paths: Path) -> Weights:
    return Weights(tuple(Part(read_header(path), path, None) for path in paths))


def upstream(server: Origin, path: Path, **how: Any) -> Weights:
    content = path.read_bytes()
    url = server.put(f"/{path.name}", content, **how)
    remote = open_url(url, root=ROOT)
    return Weights((Part(read_remote_header(remote, url, len(content)), None, remote),))


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("versions")
    paths = {name: folder / f"{name}.gguf" for name in ("template", "flipped", "first")}
    zoo.template(lambda text: text.replace("assistant", "model"))(paths["template"])
    header = read_header(zoo.SOUND)
    large = max(header.tensors, key=lambda tensor: tensor.nbytes)
    for name, at in {"flipped": large.offset + large.nbytes // 2, "first": large.offset}.items():
        content = bytearray(zoo.SOUND.read_bytes())
        content[at] ^= 1
        paths[name].write_bytes(content)
    return paths


def test_another_template_leaves_the_tensors_as_they_are(versions: dict[str, Path]) -> None:
    sound, other = here(zoo.SOUND), here(versions["template"])
    assert Digest.of_file(zoo.SOUND) != Digest.of_file(versions["template"])
    assert compare(sound, other) == (True, f"the tensors of both are {tensor_digest(sound)}")


@pytest.mark.parametrize("version", ["flipped", "first"])
def test_one_bit_in_a_tensor_is_another_digest(versions: dict[str, Path], version: str) -> None:
    same, said = compare(here(zoo.SOUND), here(versions[version]))
    assert same is False and said.startswith("the tensors were sha256:")


def test_the_cut_of_a_set_does_not_matter(engine_build: EngineBuild, tmp_path: Path) -> None:
    command = [
        str(engine_build.tool("llama-gguf-split")),
        "--split-max-tensors",
        "14",
        str(zoo.SOUND),
        str(tmp_path / "s"),
    ]
    subprocess.run(command, check=True, capture_output=True, env=dict(engine_build.environment))
    parts = sorted(tmp_path.iterdir())
    assert len(parts) > 2 and compare(here(zoo.SOUND), here(*parts))[0] is True


def test_what_is_upstream_is_sampled_and_nobody_claims_more(server: Origin, versions: dict[str, Path]) -> None:
    size = zoo.SOUND.stat().st_size
    same, said = compare(here(zoo.SOUND), upstream(server, versions["template"]))
    assert same is None and "samples of" in said and "fetch both to be certain" in said
    assert server.sent < 40 * SAMPLE_BYTES + (1 << 20) < size
    same, said = compare(here(zoo.SOUND), upstream(server, versions["flipped"]))
    assert same is False and said.endswith("has other bytes")


def test_another_type_is_told_from_the_headers_alone(server: Origin, tiny_chat: Path) -> None:
    f16 = tiny_chat.with_name("tiny-chat-f16.gguf")
    remote = upstream(server, f16)
    sent = server.sent
    same, said = compare(here(tiny_chat), remote)
    assert same is False and said.startswith("tensors ") and "of another type" in said and server.sent == sent


def test_an_origin_without_ranges_can_not_be_sampled(server: Origin, versions: dict[str, Path]) -> None:
    with pytest.raises(NetworkError, match="whole files only"):
        compare(here(zoo.SOUND), upstream(server, versions["template"], ranges=False))
