from __future__ import annotations

from pathlib import Path

from pipeline.deploy.state import State, read_state, this
from pipeline.deploy.switch import Switch, pending, write_switch
from pipeline.flow.saying import Notice


def test_what_is_said_is_in_the_state_file(tmp_path: Path) -> None:
    notice = Notice(tmp_path, "small", State("sha256:1", "starting", this()))
    notice.say("running", url="http://x")
    assert read_state(tmp_path) == notice.state and notice.state.url == "http://x"
    assert not notice.asked
    write_switch(tmp_path, Switch("sha256:2"))
    assert notice.asked
    notice.settle()
    assert not notice.asked and not pending(tmp_path)
    write_switch(tmp_path, Switch("sha256:3"))
    assert notice.asked, "the next one counts again"


def test_what_can_not_be_written_is_written_later_and_no_switch_is_settled_before(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    notice = Notice(folder, "small", State("sha256:1", "running", this()))
    write_switch(folder, Switch("sha256:2"))
    folder.rename(tmp_path / "away")
    folder.write_text("nothing can be written where a file is")
    notice.say("running", entry="sha256:2")
    notice.settle()
    folder.unlink()
    (tmp_path / "away").rename(folder)
    assert read_state(folder) is None and pending(folder) and not notice.asked, "it is done, though nobody was told"
    notice.catch_up()
    state = read_state(folder)
    assert state and state.entry == "sha256:2" and not pending(folder)
