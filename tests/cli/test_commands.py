"""Every command: help, JSON with a schema, exit codes, and an error in words for whatever is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.command import App
from pipeline.cli.main import COMMANDS
from pipeline.core.project import Project
from pipeline.gguf.header import read_header
from pipeline.lock.load import lock_path
from pipeline.spec.first import CONTEXT
from pipeline.spec.load import read_spec
from tests.attest.signing import make_key
from tests.cli.conftest import Ask
from tests.projects import edit

TO_SYSTEMD = ["--target", "systemd", "-o", "../unit", "--override", "a test"]
# What each command is asked, and the schema of its answer.
ASKED: list[tuple[str, list[str]]] = [
    ("init", ["init", "other", "--source", "file:../models/small.gguf"]),
    ("init", ["init", "other", "--from-modelfile", "Modelfile"]),
    ("lock", ["lock"]),
    ("lock", ["lock", "small", "--check"]),
    ("lock", ["lock", "--dry-run"]),
    ("outdated", ["outdated"]),
    ("lock", ["lock", "small", "--upgrade", "--dry-run"]),
    ("fetch", ["fetch"]),
    ("fetch", ["fetch", "small", "--limit-rate", "1.5G"]),
    ("prune", ["prune", "--dry-run"]),
    ("verify", ["verify"]),
    ("verify", ["verify", "small", "--deep"]),
    ("verify", ["verify", "--deep", "--repair"]),
    ("inspect", ["inspect", "small"]),
    ("inspect", ["inspect", "models/small.gguf"]),
    ("template", ["inspect", "small", "--template"]),
    ("lint", ["lint"]),
    ("lint", ["lint", "small", "models/small.gguf"]),
    ("lint", ["lint", "small", "--select", "A2", "--ignore", "A203", "--format", "sarif"]),
    ("lint-baseline", ["lint", "models/small.gguf", "--write-baseline", "../baseline.json"]),
    ("fix", ["fix", "small"]),
    ("fix", ["fix", "small", "--dry-run", "--code", "A1"]),
    ("rules", ["explain"]),
    ("explain", ["explain", "a101"]),
    ("check", ["check"]),
    ("eval", ["eval", "small"]),
    ("bench", ["bench", "small"]),
    ("tune", ["tune", "small", "--goal", "memory", "--budget", "0"]),
    ("run", ["run", "small", "--offline"]),
    ("gate", ["gate"]),
    ("report", ["report"]),
    ("report", ["report", "small", "--format", "markdown"]),
    ("compare", ["compare", "small", "small"]),
    ("reproduce", ["reproduce", "THE LINT RUN"]),
    ("results", ["results", "small", "-o", "../items.parquet"]),
    ("results", ["results", "small", "--suite", "few", "-o", "../few.json"]),
    ("bundle", ["bundle", "-o", "../bundle.tar", "--force"]),
    ("import", ["import", "../bundle.tar"]),
    ("mirror", ["mirror", "../mirror"]),
    ("export", ["export", "small", "--format", "sha256sums"]),
    ("export", ["export", "small", "--format", "modelfile", "-o", "../Modelfile"]),
    ("connect", ["connect", "openai", "small"]),
    ("sbom", ["sbom", "small"]),
    ("attest", ["attest", "small", "--key", "key.pem"]),
    ("query", ["query", "SELECT model, stage, started FROM runs ORDER BY started"]),
    ("query", ["query", "SELECT * FROM runs WHERE model = 'none'"]),
    ("schema", ["schema"]),
    ("schema", ["schema", "lock"]),
    ("schema", ["schema", "policy"]),
    ("catalog", ["catalog"]),
    ("history", ["history", "small", "few.acc"]),
    ("record", ["record", "export", "exported"]),
    ("baselines", ["baseline", "show"]),
    ("completion", ["completion", "bash"]),
    ("completion", ["completion", "zsh"]),
    ("completion", ["completion", "fish"]),
    ("doctor", ["doctor"]),
    ("plan", ["deploy", "small", "--plan"]),
    ("deploy", ["deploy", "small", *TO_SYSTEMD]),
    ("status", ["status"]),
    ("status", ["status", "small", "--deep"]),
    ("logs", ["logs", "small", "-n", "5"]),
    ("stop", ["stop", "small"]),
    ("rollback", ["rollback", "small"]),
    ("audit", ["audit", "small"]),
]

NO_PROJECT = ("init", "explain", "schema", "completion", "doctor")


def words(value: object) -> str | None:
    """Name a test by its command line."""
    return " ".join(map(str, value)) if isinstance(value, list) else None


def test_every_command_is_asked_something() -> None:
    assert {arguments[0] for _, arguments in ASKED} | {"serve"} == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_it_is_for_with_an_example(ask: Ask, command: str) -> None:
    code, out, _ = ask(command, "--help")
    assert code == 0
    assert out.startswith(f"Usage: assay {command} [OPTIONS]")
    assert f"  assay {command}" in out and "--json" in out


@pytest.mark.parametrize(("schema", "arguments"), ASKED, ids=words)
def test_the_answer_as_json_and_in_words(
    ask: Ask, assayed: Project, monkeypatch: pytest.MonkeyPatch, schema: str, arguments: list[str]
) -> None:
    monkeypatch.chdir(assayed.root)
    Path("Modelfile").write_text("FROM ./models/small.gguf\nPARAMETER temperature 0.5\nPARAMETER num_ctx 512\n")
    if arguments[0] == "attest":
        make_key(assayed.root)
    if arguments[0] == "import":
        assert ask("bundle", "-o", arguments[1])[0] == 0
    if arguments == ["reproduce", "THE LINT RUN"]:
        rows = json.loads(ask("query", "SELECT id FROM runs WHERE stage = 'lint'", "--json")[1])["rows"]
        arguments = ["reproduce", rows[0]["id"]]
    if arguments[0] in ("status", "logs", "stop", "rollback", "audit"):
        for _ in range(3 if arguments[0] == "rollback" else 1):
            assert ask("deploy", "small", *TO_SYSTEMD)[0] == 0
    code, out, _ = ask(*arguments, "--json")
    assert code == 0
    assert json.loads(out)["schema"] == f"assay.{schema}/1"

    (assayed.specs / "other.yaml").unlink(missing_ok=True)
    code, out, _ = ask(*arguments)
    assert code == 0
    assert out.strip() and not out.startswith('{\n  "schema": "assay.')


def test_json_tells_what_a_script_needs(ask: Ask, assayed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(assayed.root)

    def answer(*arguments: str) -> Any:
        return json.loads(ask(*arguments, "--json")[1])

    (model,) = answer("run")["models"]
    assert (model["name"], model["accepted"], model["exit_code"], model["error"]) == ("small", True, 0, None)
    assert [run["stage"] for run in model["runs"]] == ["lint", "check", "eval", "bench"]
    assert all(run["reused"] for run in model["runs"])
    assert all(Path(path).is_file() for path in model["reports"])
    (run_,) = answer("check")["runs"]
    assert [outcome["verdict"] for outcome in run_["outcomes"]] == ["pass"]
    assert {row["stage"] for row in answer("query", "SELECT stage FROM runs")["rows"]} == {
        *("lint", "check", "eval", "bench")
    }
    (file,) = answer("verify", "--deep")["files"]
    assert file["ok"] and file["hashed"] and file["got"] == file["want"]
    assert answer("inspect", "small")["architecture"] == "llama"
    assert answer("gate")["decisions"][0]["accepted"] is True


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in NO_PROJECT])
def test_without_a_project_it_is_said(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(tmp_path)
    wants = {
        "inspect": ["small"],
        "fix": ["small"],
        "serve": ["small"],
        "query": ["SELECT 1"],
        "bundle": ["-o", "x.tar"],
        "import": ["x.tar"],
        "mirror": ["x"],
        "export": ["small", "--format", "modelfile"],
        "connect": ["openai", "small"],
        "sbom": ["small"],
        "attest": ["--key", "key.pem"],
        "compare": ["small", "small"],
        "tune": ["small"],
        "reproduce": ["20260101T000000-00000000"],
        "results": ["small", "-o", "x.jsonl"],
        "record": ["export", "x"],
        "history": ["small", "few.acc"],
        "deploy": ["small"],
        "logs": ["small"],
        "stop": ["small"],
        "rollback": ["small"],
        "audit": ["small"],
    }
    code, out, err = ask(command, *wants.get(command, []))
    assert (code, out) == (2, "")
    assert err.startswith("error: no project here") and "-> cd into a project" in err


def ruin(project: Project, how: str) -> None:
    spec, weights = project.specs / "small.yaml", project.root / "models" / "small.gguf"
    match how:
        case "broken YAML":
            spec.write_text("name: small\nsource: [\n")
        case "binary YAML":
            spec.write_bytes(b"name: \xff\xfe\n")
        case "unknown key":
            edit(spec, "slots: 2", "slotz: 2")
        case "unknown suite":
            edit(spec, "evals: [few]", "evals: [many]")
        case "spec is a folder":
            spec.unlink()
            spec.mkdir()
        case "no lock":
            lock_path(project, "small").unlink()
        case "lock is garbage":
            lock_path(project, "small").write_text("{]")
        case "lock is another thing":
            lock_path(project, "small").write_text("[1, 2]")
        case "no source":
            weights.unlink()
        case "truncated source":
            weights.write_bytes(weights.read_bytes()[:100_000])
        case "source is text":
            weights.write_text("I am no model")
        case "record is garbage":
            project.database.write_text("I am no database" * 1000)
        case "store is a file":
            shutil.rmtree(project.store)
            project.store.write_text("")
        case "blob is gone":
            shutil.rmtree(project.store / "blobs")
        case "reports is a file":
            shutil.rmtree(project.reports)
            project.reports.write_text("")
        case _:
            raise AssertionError(how)


@pytest.mark.parametrize(
    ("how", "arguments", "code", "said"),
    [
        ("broken YAML", ["run"], 2, "specs/small.yaml:3:1: "),
        ("binary YAML", ["run"], 2, "not UTF-8 text"),
        ("unknown key", ["run"], 2, "specs/small.yaml:4:25: unknown key 'slotz' (did you mean 'slots'?)"),
        ("unknown key", ["lock"], 2, "specs/small.yaml:4:25: unknown key 'slotz'"),
        ("unknown suite", ["lock"], 2, "no suite 'many'"),
        ("unknown suite", ["run"], 3, "the lock of small is out of date"),
        ("spec is a folder", ["run", "small"], 2, "small"),
        ("no lock", ["run"], 3, "no lock for small"),
        ("no lock", ["lock", "--check"], 3, "no lock for small"),
        ("no lock", ["serve", "small"], 3, "-> run assay lock small"),
        ("lock is garbage", ["fetch"], 3, "is not a lockfile"),
        ("lock is another thing", ["verify"], 3, "is damaged"),
        ("no source", ["lock"], 2, "no such file"),
        ("truncated source", ["lock"], 2, "small.gguf"),
        ("source is text", ["lock"], 2, "small.gguf"),
        ("truncated source", ["lint", "models/small.gguf"], 2, "small.gguf"),
        ("truncated source", ["inspect", "models/small.gguf"], 2, "small.gguf"),
        ("no source", ["inspect", "models/small.gguf"], 2, "small.gguf: No such file"),
        ("record is garbage", ["run"], 2, "as a results database"),
        ("record is garbage", ["gate"], 2, "as a results database"),
        ("record is garbage", ["query", "SELECT 1"], 2, "as a results database"),
        ("store is a file", ["fetch"], 2, "store"),
        ("store is a file", ["run"], 2, "store"),
        ("blob is gone", ["verify"], 5, "missing: not in the store"),
        ("blob is gone", ["inspect", "small"], 5, "missing: not in the store"),
        ("reports is a file", ["report"], 2, "reports"),
        ("reports is a file", ["run", "--force"], 2, "reports"),
    ],
    ids=words,
)
def test_what_is_wrong_is_said_without_a_traceback(
    ask: Ask,
    assayed: Project,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(assayed.root)
    ruin(assayed, how)
    got, out, err = ask(*arguments)
    assert got == code, (out, err)
    assert said in out + err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "smal"], 2, "did you mean small?"),
        (["run", "../../etc/passwd"], 2, "no spec"),
        (["run", "nowhere.yaml"], 2, "no such file"),
        (["lint", "none.gguf"], 2, "none.gguf"),
        (["inspect", "specs.gguf"], 2, "specs.gguf"),
        (["explain", "A999"], 2, "no rule has the code 'A999'"),
        (["report", "--format", "pdf"], 2, "pdf"),
        (["completion", "tcsh"], 2, "tcsh"),
        (["serve", "small", "--port", "70000"], 2, "70000"),
        (["serve", "small", "--host", "0.0.0.0"], 2, "loopback"),
        (["init", "small", "--source", "file:../models/small.gguf"], 2, "exists"),
        (["init", "Bad Name", "--source", "file:x.gguf"], 2, "name"),
        (["init", "policy", "--source", "file:x.gguf"], 2, "specs/policy.yaml is the catalog's policy"),
        (["lock", "policy"], 2, "policy.yaml is the catalog's policy"),
        (["audit", "small", "--expect", "sha256:abc"], 2, "--expect: not a digest: 'sha256:abc'"),
        (["init", "other", "--source", "ftp://x/y.gguf"], 2, "ftp"),
        (["query", "SELEC 1"], 2, "SQL"),
        (["query", "DELETE FROM runs"], 2, "SQL"),
        (["query", "SELECT * FROM read_text('/etc/passwd')"], 2, "SQL"),
        (["query", "COPY (SELECT 1) TO 'x.csv'"], 2, "SQL"),
        (["query", "ATTACH 'https://example.invalid/x.duckdb'"], 2, "SQL"),
        (["run", "--engine", "nowhere"], 6, "no llama-server at nowhere"),
        (["doctor", "--engine", "nowhere"], 6, "no llama-server at nowhere"),
        (["run", "--project", "/nonexistent"], 2, "no project here"),
        (["run", "--bogus"], 2, "No such option"),
        (["query"], 2, "Missing argument"),
    ],
    ids=words,
)
def test_what_cannot_be_asked_is_said(
    ask: Ask, assayed: Project, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(assayed.root)
    got, out, err = ask(*arguments)
    assert got == code, (out, err)
    assert said in out + err
    assert ask("query", "SELECT count(*) AS n FROM runs", "--json")[1].count('"n": 4') == 1


def test_an_error_is_json_too(ask: Ask, assayed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(assayed.root)
    code, out, err = ask("lock", "smal", "--json")
    content = json.loads(out)
    assert (code, content["schema"], content["exit_code"]) == (2, "assay.error/1", 2)
    assert content["hint"] == "did you mean small?" and content["message"] in err

    ruin(assayed, "unknown key")
    code, out, _ = ask("lock", "--json")
    (problem,) = json.loads(out)["problems"]
    assert (code, problem["line"], problem["column"], problem["hint"]) == (2, 4, 25, "did you mean 'slots'?")


@pytest.mark.parametrize("place", ["/dev/null/store", "/proc/assay"])
def test_a_store_that_cannot_be_written_is_said(
    ask: Ask, project: Project, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("ASSAY_STORE", place)
    for command in ("fetch", "run"):
        code, _, err = ask(command)
        assert (code, place in err) == (2, True), err


def test_a_gate_that_says_no_is_exit_1(ask: Ask, assayed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(assayed.root)
    edit(assayed.specs / "small.yaml", "few.acc: {min: 0}", "few.acc: {min: 2}")
    assert ask("lock")[0] == 0
    for command, word in (("gate", "unknown"), ("run", "rejected")):  # nothing is on record for the new lock at first
        code, out, _ = ask(command)
        assert code == 1
        assert f"small: {word}" in out and "few.acc" in out


def test_of_several_models_the_worst_exit_code_counts_and_all_have_their_turn(
    ask: Ask, assayed: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(assayed.root)
    (assayed.specs / "another.yaml").write_text("name: another\nsource: file:none.gguf\n")
    (assayed.specs / "broken.yaml").write_text("name: {")
    code, out, err = ask("run", "--json")
    assert code == 3
    assert [(model["name"], model["exit_code"]) for model in json.loads(out)["models"]] == [
        *(("another", 3), ("broken", 2), ("small", 0))
    ]
    assert "no lock for another" in err and "specs/broken.yaml:1:" in err
    assert ask("report", "--format", "json")[0] == 2  # three reports are not one JSON


def test_a_project_is_found_from_below_by_option_and_by_environment(
    ask: Ask, assayed: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(assayed.suites / "few")
    assert ask("verify")[0] == 0
    monkeypatch.chdir(tmp_path)
    assert ask("verify")[0] == 2
    assert ask("verify", "--project", str(assayed.root))[0] == 0
    monkeypatch.setenv("ASSAY_PROJECT", str(assayed.root))
    assert ask("verify")[0] == 0


def test_a_first_spec_is_one_that_can_be_locked(
    ask: Ask, assayed: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new").mkdir()
    monkeypatch.chdir(tmp_path / "new")
    weights = tmp_path / "a model #1: small.gguf"
    shutil.copy(assayed.root / "models" / "small.gguf", weights)
    assert ask("init", "first", "--source", f"file:../../{weights.name}")[0] == 0
    code, out, err = ask("lock", "first", "--json")
    assert (code, json.loads(out)["locks"][0]["written"]) == (0, True), err


def test_a_first_spec_takes_a_path_from_here_and_no_more_context_than_the_model_knows(
    ask: Ask, assayed: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("models").mkdir()
    shutil.copy(assayed.root / "models" / "small.gguf", "models/small.gguf")
    trained = read_header(Path("models/small.gguf")).metadata["llama.context_length"]
    for name, source in {"one": "models/small.gguf", "two": "file:../models/small.gguf"}.items():
        assert ask("init", name, "--source", source)[0] == 0
        spec = read_spec(Path("specs") / f"{name}.yaml")
        assert (spec.source, spec.engine.context) == ("file:../models/small.gguf", trained)
        assert trained < CONTEXT
    assert ask("init", "three", "--source", "hf://acme/small-GGUF:Q8_0")[0] == 0
    assert read_spec(Path("specs/three.yaml")).engine.context == CONTEXT


def test_quiet_is_quiet(ask: Ask, assayed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(assayed.root)
    assert ask("run", "--quiet")[2] == ""
    assert "eval few: ok" in ask("run")[2]


HOSTILE = "\x1b]0;owned\x07\x9b31m\u202egnp\ud800\U000e0041 é"


def test_what_a_terminal_would_obey_is_written_out(
    ask: Ask, cold_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(cold_project.root)
    sql = "SELECT chr(27) || '[31m' || chr(155) || chr(8238) || 'é' AS x"
    code, out, _ = ask("query", sql)
    assert code == 0 and "\\u001b[31m\\u009b\\u202eé" in out
    code, out, _ = ask("query", sql, "--json")
    assert out.replace("\n", "").isprintable() and "é" in out
    assert json.loads(out)["rows"] == [{"x": "\x1b[31m\x9b\u202eé"}]
    code, _, err = ask("lint", "\x1b[31m.gguf")
    assert code == 2 and "\\u001b[31m.gguf" in err


def test_json_keeps_its_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    App(Path(), True, True, None).answer("x", {"said": HOSTILE}, "")
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    assert json.loads(out)["said"].encode("utf-16", "surrogatepass") == HOSTILE.encode("utf-16", "surrogatepass")


def test_a_template_is_printed_as_it_is_where_no_terminal_obeys_it(capsys: pytest.CaptureFixture[str]) -> None:
    App(Path(), False, True, None).answer("template", {}, "a\x1b[31mb", exact=True)
    assert capsys.readouterr().out == "a\x1b[31mb\n"


def test_init_refuses_what_lock_would_refuse(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for source in ("file:/abs/x.gguf", "http://example.org/x.gguf"):
        code, _, err = ask("init", "other", "--source", source)
        assert code == 2 and err.startswith("error: ") and source in err
    assert not (Path("specs") / "other.yaml").exists()


def test_what_the_system_refuses_is_an_answer_in_json_too(
    ask: Ask, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    project.state.write_text("not a folder")
    code, out, err = ask("fetch", "small", "--json")
    assert code == 2 and ".assay" in err
    assert json.loads(out)["exit_code"] == 2
