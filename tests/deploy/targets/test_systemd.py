from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from pipeline.core.errors import UsageError
from pipeline.deploy.plan import host_argv
from pipeline.deploy.targets import systemd
from tests.deploy import orders

needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="no systemd-analyze: apt-get install systemd"
)


@pytest.fixture
def here(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A unit whose programs exist, and what was written."""
    server = Path(sys.executable).resolve()
    order = orders.order()
    plan = systemd.render(replace(order, host=replace(order.host, server=server, engine={server: str(Digest.of(b""))})))
    for name, text in plan.files.items():
        (tmp_path / name).write_text(text)
    return tmp_path / "assay-tiny-chat.service", plan.files


def test_the_plan_is_the_golden_one() -> None:
    plan = systemd.render(orders.order())
    orders.is_golden(plan)
    assert systemd.render(orders.order()) == plan


@needs_systemd
def test_systemd_finds_nothing_to_say_of_the_unit(here: tuple[Path, dict[str, str]]) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", here[0]], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_systemd_would_say_so_if_a_setting_were_unknown(here: tuple[Path, dict[str, str]]) -> None:
    here[0].write_text(here[0].read_text().replace("UMask=", "UMusk="))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", here[0]], capture_output=True, text=True, timeout=60
    )
    assert "UMusk" in done.stderr


@needs_systemd
@pytest.mark.parametrize("layers", [0, 99])
def test_its_exposure_is_at_most_3(tmp_path: Path, layers: int) -> None:
    lock = orders.lock(engine={"gpu_layers": layers})
    path = tmp_path / "assay-tiny-chat.service"
    path.write_text(systemd.render(orders.order(lock)).files[path.name])
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", str(path)], capture_output=True, text=True, timeout=60
    )
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found and float(found[1]) <= 3.0, done.stdout


def test_systemd_reads_the_command_line_as_it_is_meant() -> None:
    """Read back by the rules of systemd.syntax(7): quotes, escapes, then specifiers and variables."""
    order = orders.order()
    (line,) = [
        one for one in systemd.render(order).files["assay-tiny-chat.service"].splitlines() if one[:10] == "ExecStart="
    ]
    words = [
        re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), one[1:-1])
        if one[:1] == '"'
        else one
        for one in re.findall(r'"(?:[^"\\]|\\.)*"|\S+', line.removeprefix("ExecStart="))
    ]
    assert not [word for word in words if re.search(r"(?<!\$)(\$\$)*\$(?!\$)", word)]
    meant = [word.replace("%%", "%").replace("$$", "$") if word != "%d/key" else word for word in words]
    assert tuple(meant) == host_argv(order, key_file="%d/key")


def test_the_sums_are_what_sha256sum_reads(tmp_path: Path) -> None:
    order = orders.order()
    paths = {}
    for file in order.lock.files:
        path = paths[file.sha256] = tmp_path / file.digest.hex
        path.write_bytes(b"content of another file")
    engine = tmp_path / "llama server"
    engine.write_bytes(b"engine")
    host = replace(order.host, engine={engine: str(Digest.of(b"engine"))})
    sums = tmp_path / "sums"
    sums.write_text(systemd.render(replace(order, host=host, paths=paths)).files["assay-tiny-chat.sha256"])
    check = ["sha256sum", "--check", "--strict", str(sums)]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout.count(": FAILED") == 2 and f"{engine}: OK" in done.stdout
    with pytest.raises(UsageError, match="can't stand in a list of sums"):
        systemd.render(replace(order, host=replace(order.host, engine={Path("a\nb"): str(Digest.of(b""))})))


def test_what_lies_in_a_home_is_shown_to_the_service_and_no_key_is_written() -> None:
    order = orders.order()
    server = Path("/home/ann/llama/bin/llama-server")
    plan = systemd.render(replace(order, host=replace(order.host, server=server, engine={server: str(Digest.of(b""))})))
    text = plan.files["assay-tiny-chat.service"]
    assert "BindReadOnlyPaths=/home/ann/llama/bin\n" in text and "--api-key-file %d/key" in text
    assert "BindReadOnlyPaths" not in systemd.render(orders.order()).files["assay-tiny-chat.service"]


def test_memory_is_bounded_by_the_plan() -> None:
    order = orders.order()
    assert f"MemoryMax={order.limit}\n" in systemd.render(order).files["assay-tiny-chat.service"]
