# ruff: noqa: E501 (a fault a line)
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from pipeline.core.errors import SpecError, UsageError
from pipeline.core.kinds import discover
from pipeline.core.project import Project
from pipeline.spec import yaml
from pipeline.spec.load import LIMIT, check, find_spec, read_model, read_spec, shown, spec_files
from pipeline.spec.model import Spec

EXAMPLES = "; ".join(module.EXAMPLE for module in discover("pipeline.spec.sources").values())
HEAD = "name: m\nsource: file:x.gguf\n"


def spec(folder: Path, text: str | bytes) -> Spec:
    path = folder / "m.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_spec(path)


def told(folder: Path, text: str | bytes) -> list[str]:
    with pytest.raises(SpecError) as caught:
        spec(folder, text)
    return [str(problem).replace(f"{folder}/m.yaml:", "") for problem in caught.value.problems]


def test_the_smallest_spec(tmp_path: Path) -> None:
    found = spec(tmp_path, HEAD)
    assert (found.name, found.engine.context, found.sampling.temperature, found.profile) == ("m", 4096, 0.0, "chat")
    assert found == spec(tmp_path, found.model_dump_json())  # JSON is YAML, and defaults written out change nothing


# What a user may get wrong, and all that is told: line, column, what is wrong, and what to write instead.
@pytest.mark.parametrize(
    ("text", "lines"),
    {
        "empty": ("", ["1:1: key 'name' is missing (add name: …)", "1:1: key 'source' is missing (add source: …)"]),
        "a list": ("- 1", ["1:1: the file wants keys and values, not a list"]),
        "text": ("hello", ["1:1: the file wants keys and values, not the text"]),
        "unknown key, near": (HEAD + "licence: {}", ["3:1: unknown key 'licence' (did you mean 'license'?)"]),
        "unknown key below": (HEAD + "engine:\n  contxt: 5", ["4:3: unknown key 'contxt' (did you mean 'context'?)"]),
        "unknown key, far": (HEAD + "deploy: {xyz: 1}", ["3:10: unknown key 'xyz' (known keys: port)"]),
        "unknown key in a mapping of any names": (HEAD + "gates: {metrics: {a.b: {mn: 1, max: 2}}}", ["3:25: unknown key 'mn' (did you mean 'min'?)"]),
        "text for a number": (HEAD + "engine: {context: '4096'}", ["3:19: context wants a whole number, not the text '4096' (leave the quotes out: 4096)"]),
        "words for a number": (HEAD + "engine: {context: many}", ["3:19: context wants a whole number, not the text 'many'"]),
        "fraction for a whole number": (HEAD + "engine: {slots: 1.5}", ["3:17: slots wants a whole number, not the number 1.5"]),
        "truth for a number": (HEAD + "engine: {slots: true}", ["3:17: slots wants a whole number, not the truth value true"]),
        "truth for a fraction": (HEAD + "sampling: {temperature: True}", ["3:25: temperature wants a number, not the truth value True"]),
        "quoted fraction": (HEAD + "sampling: {temperature: '0.5'}", ["3:25: temperature wants a number, not the text '0.5' (leave the quotes out: 0.5)"]),
        "number for text": (HEAD + "license: {id: 1.10}", ["3:15: id wants text, not the number 1.10 (put it in quotes: \"1.10\")"]),
        "truth for text": (HEAD + "chat: {stop: [true]}", ["3:15: stop[0] wants text, not the truth value true (put it in quotes: \"true\")"]),
        "one for a list": (HEAD + "chat: {stop: no}", ["3:14: stop wants a list, not the text 'no' (write [no])"]),
        "mapping for a list": (HEAD + "checks: {a: 1}", ["3:9: checks wants a list, not a mapping"]),
        "list for a mapping": (HEAD + "engine: [a]", ["3:9: engine wants keys and values, not a list"]),
        "nothing for a mapping": (HEAD + "engine:", ["3:8: engine wants keys and values, not nothing (leave engine out, or indent its keys below it)"]),
        "nothing for text": ("name:\nsource: file:x\n", ["1:6: name wants text, not nothing"]),
        "choice, near": (HEAD + "profile: chatt", ["3:10: profile must be 'chat', 'completion', 'embedding' or 'rerank', not 'chatt' (did you mean 'chat'?)"]),
        "choice, 1.1 boolean": (HEAD + "engine: {flash_attention: yes}", ["3:27: flash_attention must be 'on' or 'off', not 'yes'"]),
        "too small": (HEAD + "engine: {threads: 0}", ["3:19: threads must be greater than 0, not 0"]),
        "too large, as written": (HEAD + "engine: {slots: 0x10000}", ["3:17: slots must be less than or equal to 256, not 0x10000"]),
        "in a list": (HEAD + "bench: {prefill: [1, -1]}", ["3:22: prefill[1] must be greater than 0, not -1"]),
        "infinite": (HEAD + "sampling: {min_p: 1e999}", ["3:19: min_p must be a finite number, not 1e999"]),
        "the random seed": (HEAD + "sampling: {seed: 4294967295}", ["3:18: seed must be less than or equal to 4294967294, not 4294967295"]),
        "empty text": (HEAD + "chat: {stop: ['']}", ["3:15: stop[0] is empty"]),
        "twice": (HEAD + "evals: [a, a]", ["3:8: evals: a is listed twice"]),
        "a suite elsewhere": (HEAD + "checks: [../x]", ["3:10: checks[0]: '../x' does not fit the pattern ^[a-z0-9][a-z0-9._-]{0,62}$ (write a small letter or digit, then small letters, digits, dots, dashes and underscores)"]),
        "bad digest": (HEAD + "sha256: ABC", ["3:9: sha256: 'ABC' does not fit the pattern ^sha256:[0-9a-f]{64}$ (write sha256: and 64 hexadecimal digits, in small letters)"]),
        "key left out below": (HEAD + "lint: {ignore: [{code: A1}]}", ["3:17: key 'reason' is missing (add reason: …)"]),
        "no bound": (HEAD + "gates: {metrics: {a.b: {}}}", ["3:24: a.b: a limit wants min or max, or both"]),
        "bounds crossed": (HEAD + "gates: {metrics: {a.b: {min: 2, max: 1}}}", ["3:24: a.b: min is larger than max: nothing would be accepted"]),
        "a group twice": (HEAD + "gates: {checks: [a, {group: a, rate: 0.9}]}", ["3:17: checks: a is listed twice"]),
        "a rate that can't be shown": (HEAD + "gates: {checks: [{group: a, rate: 1}]}", ["3:18: checks[0]: no number of passes shows a rate of 1: write less than 1, or the group's name alone for every case"]),
        "a rate of nothing": (HEAD + "gates: {checks: [{group: a, rate: 0}]}", ["3:35: rate must be greater than 0, not 0"]),
        "a misspelt rate": (HEAD + "gates: {checks: [{group: a, rat: 0.9}]}", ["3:29: unknown key 'rat' (did you mean 'rate'?)"]),
        "a rate of no group": (HEAD + "gates: {checks: [{rate: 0.9}]}", ["3:18: key 'group' is missing (add group: …)"]),
        "a number for a group": (HEAD + "gates: {checks: [5]}", ["3:18: checks[0] wants keys and values, not the number"]),
        "checks of what writes nothing": (HEAD + "profile: embedding\nchecks: [x]", ["1:1: checks are of what a model writes, and one of profile embedding writes nothing"]),
        "pooling of a chat model": (HEAD + "engine: {pooling: mean}", ["1:1: engine.pooling is for profile: embedding"]),
        "cache without flash attention": (HEAD + "engine: {cache_type_v: q8_0}", ["3:9: engine: cache_type_v q8_0 needs flash_attention: on"]),
        "batches crossed": (HEAD + "engine: {batch: 8}", ["3:9: engine: micro_batch is larger than batch"]),
        "more context than can be counted": (HEAD + "engine: {context: 10000000, slots: 256}", ["3:9: engine: context times slots is more than llama.cpp can count"]),
        "other name": ("source: file:x.gguf\nname: other", ["2:7: the spec's name is 'other', its file's 'm' (write name: m, or call the file other.yaml)"]),
        "no scheme": ("name: m\nsource: ../x.gguf", ["2:9: '../x.gguf' has no scheme (for a file, write file:../x.gguf)"]),
        "unknown scheme": ("name: m\nsource: ftp://x/y", [f"2:9: no source knows the scheme of 'ftp://x/y' (write for instance {EXAMPLES})"]),
        "password": ("name: m\nsource: https://u:p@example.org/m.gguf", ["2:9: a URL must not hold a user name or password (a spec and its lock are public: leave it out)"]),
        "plain http": ("name: m\nsource: http://example.org/m.gguf", ["2:9: not an https URL: http://example.org/m.gguf (plain http is only for this machine)"]),
        "mmproj": (HEAD + "mmproj: x.gguf", ["3:9: 'x.gguf' has no scheme (for a file, write file:x.gguf)"]),
        "mirror": (HEAD + "mirrors: [https://a.example/b/, http://a.example/c, file:d]", ["3:33: not an https URL: http://a.example/c (plain http is only for this machine)", "3:53: file:d is no place that others can reach (write an https URL)"]),
        "no day": (HEAD + "exclude_newer: last week", ["3:16: exclude_newer: 'last week' does not fit the pattern ^([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,4}d)$"]),
        "absolute template": (HEAD + "chat: {template: /etc/x.jinja}", ["3:18: file:/etc/x.jinja is a path of this machine alone (link the file into the project and write a path from the spec's folder, as in file:../models/tiny-chat/tiny-chat-q8_0.gguf)"]),
        "an alias, and not what follows from it": ("name: &n m\nsource: file:x.gguf\nlicense: *n\n", ["3:10: an alias stands here (write the value out: aliases are not supported)"]),
        "not UTF-8": (HEAD.encode() + b"chat: \xff", ["3:7: not UTF-8 text (save the file as UTF-8)"]),
    }.values(),
)  # fmt: skip
def test_every_fault_is_told_with_its_place_and_what_to_write(
    tmp_path: Path, text: str | bytes, lines: list[str]
) -> None:
    assert told(tmp_path, text) == lines


def test_all_faults_are_told_at_once_in_order(tmp_path: Path) -> None:
    text = "name: other\nsource: x\nname: m\nengine: {slots: no, contxt: 1}\nsampling: {top_p: 2}\nchat: &a {stop: x}\nbench: *a\nprofile: chatt\n"
    places = [line.partition(": ")[0] for line in told(tmp_path, text)]
    assert places == ["1:7", "2:9", "3:1", "4:17", "4:21", "5:19", "6:17", "7:8", "8:10"]


def test_long_values_are_shown_shortened(tmp_path: Path) -> None:
    (line,) = told(tmp_path, HEAD + f"profile: {'x' * 5000}")
    assert len(line) < 200 and "…" in line


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    assert told(tmp_path, b"a" * (LIMIT + 1)) == [" larger than 1 MiB (keep long data in a file of its own)"]


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(UsageError, match="can't read"):
            read_spec(path)


def test_any_model_can_be_read(tmp_path: Path) -> None:
    class Inner(BaseModel):
        model_config = ConfigDict(extra="forbid", strict=True)
        value: int

    class Outer(BaseModel):
        model_config = ConfigDict(extra="forbid", strict=True)
        parts: list[Inner]
        maybe: Inner | None = None

    path = tmp_path / "x.yaml"
    path.write_text("parts: [{value: 1}]\n")
    assert read_model(path, Outer).parts[0].value == 1
    path.write_text("parts: [{value: 1}, {valu: 2}]\nmaybe: {vale: 3}\n")
    with pytest.raises(SpecError) as caught:
        read_model(path, Outer)
    lines = [str(problem).partition("x.yaml:")[2] for problem in caught.value.problems]
    assert lines == [
        "1:21: key 'value' is missing (add value: …)",
        "1:22: unknown key 'valu' (did you mean 'value'?)",
        "2:8: key 'value' is missing (add value: …)",
        "2:9: unknown key 'vale' (did you mean 'value'?)",
    ]


def test_specs_are_found_by_name_path_and_nearness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path)
    (tmp_path / "specs" / "below").mkdir(parents=True)
    (tmp_path / "specs" / "folder.yaml").mkdir()
    for name in ("beta.yaml", "alpha.yaml", ".#alpha.yaml", "below/gamma.yaml", "old.yml", "notes.txt"):
        (tmp_path / "specs" / name).touch()
    assert [path.name for path in spec_files(project)] == ["alpha.yaml", "beta.yaml"]
    assert find_spec(project, "beta") == tmp_path / "specs" / "beta.yaml"
    monkeypatch.chdir(tmp_path)
    assert find_spec(project, "specs/below/gamma.yaml") == Path("specs/below/gamma.yaml")
    for name, hint in {
        "betta": "did you mean beta?",
        "xyz": "there are: alpha, beta",
        "old": "rename specs/old.yml: specs end in .yaml",
    }.items():
        with pytest.raises(UsageError, match=f"no spec '{name}': specs/{name}.yaml does not exist") as caught:
            find_spec(project, name)
        assert caught.value.hint == hint
    with pytest.raises(UsageError, match=r"no such file: none\.yaml"):
        find_spec(project, "none.yaml")


def test_paths_are_shown_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "a" / "b") == "a/b" and shown(Path("/etc/hosts")) == "/etc/hosts"


KEYS = st.sampled_from([*Spec.model_fields, "context", "min", "max", "stop", "ignore", "x"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["m", "file:x", "no", "sha256:", "{"])
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=120, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_value_is_a_spec_or_a_spec_error(value: dict[str, object]) -> None:
    try:
        found = check(yaml.Document("f", value), Spec)
    except SpecError as error:
        assert error.problems
    else:
        assert check(yaml.Document("f", found.content()), Spec) == found


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200) | st.text().map(lambda text: (HEAD + text).encode("utf-8", "replace")))
def test_any_file_is_a_spec_or_a_spec_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "m.yaml"
    path.write_bytes(content)
    try:
        assert read_spec(path).name == "m"
    except SpecError as error:
        assert error.problems
