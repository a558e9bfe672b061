"""What happens on this side of the wire: interrupted, crowded, out of room, tampered with."""

from __future__ import annotations

from tests.matrix.clients import Done, until
from tests.matrix.lies import corrupt
from tests.matrix.stage import Stage
from tests.projects import flip


def killed(stage: Stage) -> Done:
    """kill -9 in the middle, then again: it goes on where it was."""
    stage.hub.cap = stage.size // 2
    process = stage.client.start()
    reached = until(lambda: stage.hub.sent >= stage.hub.cap or process.poll() is not None)
    until(lambda: False, 0.3)  # let it write down what came
    process.kill()
    process.communicate()
    stage.must(reached and not stage.place().exists(), "it was not killed in the middle")
    stage.hub.begin()
    done = stage.client.get()
    share = stage.hub.sent / stage.size
    stage.notes.append(f"{share:.0%} of the bytes came again")
    stage.must(share < 0.8, "restarted from 0")
    return done


def two_processes(stage: Stage) -> Done:
    """Two commands at the same time for the same file."""
    stage.hub.begin(lambda wire: wire.serve(rate=stage.size / 0.4))
    first, second = stage.client.start(), stage.client.start()
    ends = [stage.client.finish(process) for process in (first, second)]
    share = stage.hub.sent / stage.size
    stage.notes.append(f"{share:.0%} of the bytes were sent")
    stage.must(share < 1.5, "downloaded twice")
    return max(ends, key=lambda done: (done.code is None, done.code or 0))


def full_disk(stage: Stage) -> Done:
    """There is no room; later there is."""
    done = stage.client.finish(stage.client.start(limit=stage.size // 2))
    stage.must(not stage.place().exists(), "a part stands under its final name")
    again = stage.client.get()
    stage.must(again.code == 0 and stage.place().read_bytes() == next(iter(stage.files.values())), "no second chance")
    return done


def rot(stage: Stage) -> Done:
    """A bit flips at rest; size and times stay as they were."""
    stage.client.get()
    place = stage.place().resolve()
    flip(place)
    code = stage.client.verify().code
    stage.notes.append("its check finds the rot" if code else "its check finds nothing")
    stage.must(code, "rot was not found")
    return stage.client.get()


def planted(stage: Stage) -> Done:
    """Somebody put a link where the file goes; what it leads to is not the file."""
    victim = stage.client.folder / "victim"
    victim.write_bytes(corrupt(next(iter(stage.files.values()))))
    before, place = victim.read_bytes(), stage.place()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(victim)
    done = stage.client.get()
    stage.must(victim.read_bytes() == before, "wrote through the link")
    return done
