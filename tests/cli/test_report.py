"""The site and the history of a project that was assayed, by the command line alone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pytest

from pipeline.core.project import Project
from pipeline.flow.history import no_history
from pipeline.flow.session import Session
from tests.cli.conftest import Ask


@pytest.fixture
def ask(ask: Ask, assayed: Project, monkeypatch: pytest.MonkeyPatch) -> Ask:
    monkeypatch.chdir(assayed.root)
    return ask


def test_the_site_is_written_compared_and_told(ask: Ask, assayed: Project) -> None:
    code, out, _ = ask("report")
    names = [Path(line).relative_to(assayed.reports).as_posix() for line in out.splitlines()]
    assert code == 0
    assert names[:3] == ["small.html", "small.json", "small.md"] and names[-1] == "index.html"
    assert [name for name in names if name.startswith("hardware/")] == names[3:-1] != []
    index = (assayed.reports / "index.html").read_text()
    assert 'href="small.html"' in index and f'href="{names[3]}"' in index and "accepted" in index
    model = (assayed.reports / "small.html").read_text()
    assert 'href="index.html"' in model and f'href="{names[3]}"' in model
    assert 'href="../small.html"' in (assayed.reports / names[3]).read_text()
    assert ask("baseline", "accept", "small", "--reason", "the first <one>", "--owner", "ada")[0] == 0
    code, _, err = ask("compare", "small", "small", "--html")
    assert code == 0 and "compare/small--small.html" in err
    assert ask("report", "small")[0] == 0
    assert "compare/small--small.html" in (assayed.reports / "index.html").read_text()
    assert "the first &lt;one&gt;" in (assayed.reports / "small.html").read_text()


def test_a_run_leaves_a_catalog_that_agrees_with_its_reports(ask: Ask, assayed: Project) -> None:
    index = assayed.reports / "index.html"
    index.unlink(missing_ok=True)
    code, out, _ = ask("run", "small", "--json")
    assert code == 0 and json.loads(out)["catalog"] == str(index)
    assert 'href="small.html"' in index.read_text() and 'class="badge pass"' in index.read_text()
    (assayed.specs / "policy.yaml").write_text("license: {allow: [mit]}\n")
    code, out, _ = ask("run", "small")
    assert code == 1 and out.splitlines()[-1] == f"catalog  {index}"
    assert "Rejected" in (assayed.reports / "small.html").read_text()
    assert 'class="badge fail"' in index.read_text() and "earlier decision" not in index.read_text()
    index.unlink()
    (assayed.lockfiles / "small.lock.json").unlink()
    code, out, _ = ask("run", "small", "--json")
    assert code == 3 and json.loads(out)["catalog"] is None and not index.exists()


def test_a_model_that_cannot_be_reported_keeps_no_other_from_it(ask: Ask, assayed: Project) -> None:
    (assayed.specs / "broken.yaml").write_text("name: broken\nsource: file:nothing.gguf\n")
    code, out, err = ask("report")
    assert code == 0 and "small.html" in out and "broken: no report" in err
    code, out, _ = ask("report", "--format", "markdown")
    assert code == 0 and out.startswith("## Models") and "| ❔ | broken | unknown | — | no lock for broken" in out
    assert "| ✅ | small | accepted | — |  |" in out and out.count("### Assay: ") == 1
    assert ask("report", "--format", "csv")[0] == 2
    assert ask("report", "small", "broken", "--format", "markdown")[0] == 3
    index = (assayed.reports / "index.html").read_text()
    assert "broken" in index and "assay lock broken" in index
    assert ask("report", "broken")[0] == 3


def test_other_formats_are_printed(ask: Ask) -> None:
    assert ET.fromstring(ask("report", "small", "--format", "junit")[1]).tag == "testsuites"
    assert 'assay_accepted{model="small"' in ask("report", "small", "--format", "prometheus")[1]
    assert ask("report", "small", "--format", "badge")[1].startswith("<svg")
    assert ask("report", "small", "--format", "csv")[1].startswith("model,accepted,stage")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["small", "--format", "pdf"], "no report format 'pdf'"),
        (["nowhere", "--format", ""], "no report format ''"),
        (["small", "--serve"], "--serve shows what was written before"),
        (["--serve", "--format", "csv"], "--serve shows what was written before"),
        (["small", "--port", "8000"], "--port belongs to --serve"),
        (["--serve"], "index.html"),
        (["--serve", "--port", "70000"], "not in the range"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_done(
    ask: Ask, assayed: Project, given: list[str], said: str
) -> None:
    before = sorted(assayed.reports.iterdir()) if assayed.reports.exists() else []
    code, out, err = ask("report", *given)
    assert (code, out) == (2, "") and said in err
    assert before == (sorted(assayed.reports.iterdir()) if assayed.reports.exists() else [])


def test_a_port_in_use_is_told(ask: Ask, assayed: Project) -> None:
    assert ask("report")[0] == 0
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, out, err = ask("report", "--serve", "--port", taken.getsockname()[1])
    assert (code, out) == (2, "") and "Address already in use" in err and "another --port" in err


def test_history_shows_a_metric_over_runs(ask: Ask) -> None:
    suite, metric = json.loads(
        ask("query", "--json", "SELECT subject, name FROM metrics JOIN runs ON id = run_id LIMIT 1")[1]
    )["rows"][0].values()
    code, out, _ = ask("history", "small", f"{suite}.{metric}")
    assert code == 0 and len(out.splitlines()) == 1
    values = json.loads(ask("history", "small", "bench.decode_tok_s", "--hardware", "all", "--json")[1])["values"]
    assert values and {value["metric"] for value in values} == {"decode_tok_s"}
    here = values[0]["hardware_digest"]
    assert ask("history", "small", f"{suite}.{metric}", "--hardware", here[:11])[:2] == (0, out)


def test_history_says_which_name_is_wrong(ask: Ask, assayed: Project) -> None:
    for arguments, said, hint in (
        (("smal", "few.acc"), "no run of smal is on record", "did you mean small? there are: small"),
        (("small", "nothing.at_all"), "no run of small on record has nothing.at_all", "few.acc"),
        (("small", "few.ac"), "no run of small on record has few.ac", "did you mean few.acc? there are: bench."),
        (("small", "bench.decode_toks"), "has bench.decode_toks", "did you mean bench.decode_tok_s?"),
        (("small", "bench.decode_tok_s@xyz"), "has bench.decode_tok_s@xyz", "there are: bench.decode_tok_s@"),
        (("small", "few.acc", "--hardware", "sha256:x"), "no classes of hardware on record begin with", "sha256:"),
    ):
        code, text, err = ask("history", *arguments)
        assert (code, text) == (2, "") and said in err and hint in err, err
    (assayed.specs / "new.yaml").write_text((assayed.specs / "small.yaml").read_text().replace("small", "new"))
    assert "run assay run new" in ask("history", "new", "few.acc")[2]
    elsewhere = no_history(Session(assayed), "small", "few.acc", "sha256:other")
    assert elsewhere.message == "small has few.acc on record, but not on the hardware sha256:other"
    assert elsewhere.hint.startswith("name another with --hardware: sha256:")


def test_the_reports_are_served_until_ctrl_c(ask: Ask, assayed: Project) -> None:
    assert ask("report", "--serve")[0] == 2  # nothing is there yet
    assert ask("report")[0] == 0
    command = [str(Path(sys.executable).parent / "assay"), "report", "--serve"]
    with subprocess.Popen(
        command, cwd=assayed.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as served:
        assert served.stdout is not None and served.stderr is not None
        url = served.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        assert "Catalog" in httpx.get(url).text
        os.kill(served.pid, signal.SIGINT)
        assert served.wait(20) == 0
        assert "Traceback" not in served.stderr.read()
