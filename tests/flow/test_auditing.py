from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.core.errors import DeployError, NotSigned
from pipeline.core.project import Project
from pipeline.deploy.kept import kept_path
from pipeline.deploy.log import log_path
from pipeline.flow.attesting import attest
from pipeline.flow.auditing import Audit, audit
from pipeline.flow.deploying import Wanted, deploy
from pipeline.flow.judge import judge
from pipeline.flow.session import Session
from tests.attest.signing import private
from tests.projects import edit, flip


@pytest.fixture(scope="module")
def written(tested_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that is deployed to systemd: everything but a live process. Not to be changed: take ``deployed``."""
    import shutil

    root = shutil.copytree(tested_project.root, tmp_path_factory.mktemp("written") / "project")
    session = Session(Project(root))
    lock = session.current("small")
    assert judge(session, lock).accepted
    deploy(session, lock, Wanted("systemd", output=root / "out"))
    return session.project


@pytest.fixture
def deployed(written: Project, tmp_path: Path) -> Project:
    """The same, to be tampered with; its paths are those of the copy."""
    import shutil

    root = shutil.copytree(written.root, tmp_path / "project")
    shutil.rmtree(root / ".assay" / "deployments")
    log_path(root / ".assay").unlink()
    log_path(root / ".assay").with_suffix(".head").unlink()
    session = Session(Project(root))
    deploy(session, session.current("small"), Wanted("systemd", output=root / "out"))
    return session.project


def audited(project: Project, **options: Any) -> Audit:
    return audit(Session(project, offline=True), "small", **options)


def broken(found: Audit) -> dict[str, str]:
    return {link.name: link.said for link in found.links if link.broken}


def sql(project: Project, statement: str) -> None:
    with duckdb.connect(str(project.database)) as connection:
        connection.execute(statement)


def test_a_sound_chain_has_every_link(deployed: Project) -> None:
    found = audited(deployed)
    assert (found.exit_code, broken(found)) == (0, {})
    names = [link.name for link in found.links]
    assert names == ["log", "process", "lock", "spec", "bytes", "decision", "results", "engine"]
    assert found.decision and found.decision.accepted
    assert {run.key.stage for run in found.runs} == {"lint", "check", "eval"}
    assert found.engine and found.engine["files"]["llama-server"].startswith("sha256:")
    assert found.hardware and found.hardware["cpu_model"]
    assert found.lock and found.line.event.lock == str(found.lock.digest)
    assert audited(deployed, expect=found.head).exit_code == 0


def test_with_a_key_it_tells_who_signed(deployed: Project, tmp_path: Path) -> None:
    key, session = private(tmp_path), Session(deployed)
    assert broken(audited(deployed, keys=[key.public])).keys() == {"signed"}
    attest(session, session.current("small"), key, deployed.attestations / "small")
    found = audited(deployed, keys=[key.public])
    assert found.exit_code == 0
    (said,) = [link.said for link in found.links if link.name == "signed"]
    assert [line.split()[0] for line in said.splitlines()] == ["provenance", "gate", "model-signing"]
    assert key.public.id[:12] in said
    found = audited(deployed, keys=[private(tmp_path, name="other").public])
    assert found.exit_code == 5 and broken(found).keys() == {"signed"}


def test_only_what_a_key_attests_is_deployed(deployed: Project, tmp_path: Path) -> None:
    key, session = private(tmp_path), Session(deployed)
    lock, wanted, before = session.current("small"), Wanted("systemd", output=tmp_path), audited(deployed).head
    with pytest.raises(NotSigned):
        deploy(session, lock, wanted, [key.public])
    assert audited(deployed).head == before
    attest(session, lock, key, deployed.attestations / "small")
    done = deploy(session, lock, wanted, [key.public])
    assert done.line.event.options["signed_by"] == [key.public.id]


def tampered_log(project: Project) -> None:
    path = log_path(project.state)
    path.write_bytes(path.read_bytes().replace(b'"override":null', b'"override":"asked the boss"'))


def tampered_blob(project: Project) -> None:
    session = Session(project)
    flip(session.stored(session.current("small")).weights)


def tampered_lock(project: Project) -> None:
    session = Session(project)
    path = kept_path(project.state, session.current("small").digest)
    path.chmod(0o644)
    content = json.loads(path.read_bytes())
    content["spec"]["sampling"]["max_tokens"] = 17
    path.write_text(json.dumps(content))


CASES: list[tuple[str, int, str, Callable[[Project], None]]] = [
    ("log", 7, "line 1: was edited", tampered_log),
    ("bytes", 5, "other bytes than the lock names", tampered_blob),
    ("lock", 5, "is not the lock that was deployed", tampered_lock),
    ("process", 7, "edited since it was written", lambda one: edit(one.root / "out" / "assay-small.service", "UMask=0077", "UMask=0")),
    ("decision", 7, "was edited since", lambda one: sql(one, "UPDATE decisions SET reasons = '[]'")),
    ("decision", 7, "is not on record", lambda one: sql(one, "DELETE FROM decisions")),
    ("results", 7, "was edited since", lambda one: sql(one, "UPDATE eval_items SET score = 1 - score WHERE position = 0")),
    ("results", 7, "is not on record", lambda one: sql(one, "DELETE FROM runs WHERE stage = 'check'")),
    ("engine", 7, "not what its digest covers", lambda one: sql(one, "UPDATE engines SET content = '{\"commit\": \"x\", \"files\": {}}'")),
]  # fmt: skip


@pytest.mark.parametrize(("link", "code", "said", "tamper"), CASES, ids=[f"{case[0]}: {case[2]}" for case in CASES])
def test_a_broken_link_is_named(
    deployed: Project, link: str, code: int, said: str, tamper: Callable[[Project], None]
) -> None:
    tamper(deployed)
    found = audited(deployed)
    assert said in broken(found)[link]
    assert found.exit_code == code


def test_a_log_made_anew_is_found_by_who_kept_its_head(deployed: Project) -> None:
    kept = audited(deployed).head
    path = log_path(deployed.state)
    path.unlink()
    path.with_suffix(".head").unlink()
    session = Session(deployed)
    deploy(session, session.current("small"), Wanted("systemd", output=deployed.root / "out"))
    assert audited(deployed).exit_code == 0
    found = audited(deployed, expect=kept)
    assert found.exit_code == 7 and "was made anew" in broken(found)["log"]


def test_what_was_never_deployed_has_no_chain(tested: Project) -> None:
    with pytest.raises(DeployError, match="small was never deployed"):
        audited(tested)
