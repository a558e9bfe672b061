from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from pipeline.core.project import Project
from pipeline.deploy.log import Event, append, log_path, read
from pipeline.flow.telling import tell


def test_an_end_is_recorded_with_the_line_that_it_ends(tmp_path: Path) -> None:
    project, actor = Project(tmp_path), {"uid": 1, "user": "a", "commit": "b"}
    event = Event("small", "deploy", "local", "sha256:1", actor, engine="sha256:2", hardware="sha256:3")
    line = append(log_path(project.state), event, datetime.now(UTC))
    assert tell(project, "failed", line, "no room", {"never_answered": True}) == "no room"
    told = read(log_path(project.state)).require().lines[1].event
    assert (told.action, told.lock, told.engine, told.reason) == ("failed", event.lock, event.engine, "no room")
    assert told.options == {"entry": line.digest, "never_answered": True} and told.previous == line.digest
    assert told.actor == {"uid": 1, "user": "a", "commit": None}, "nobody looked which commit it is now"


def test_what_can_not_be_recorded_is_told_all_the_same(tmp_path: Path) -> None:
    project = Project(tmp_path)
    line = append(log_path(project.state), Event("small", "deploy", "local", "sha256:1"), datetime.now(UTC))
    log_path(project.state).write_text("nonsense\n")
    said = tell(project, "failed", line, "no room", {})
    assert said.startswith("no room\nand it could not be recorded: ") and "line 1" in said


def test_a_full_disk_is_no_reason_to_end() -> None:
    program = "import sys; from pipeline.flow.telling import note; note('hello'); sys.stderr.write('it goes on\\n')"
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.stderr.startswith("it goes on\n")
