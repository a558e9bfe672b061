"""Fetch many files: several at a time, over one line."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from pipeline.core.progress import SILENT, Progress, Task
from pipeline.lock.model import LockedFile
from pipeline.store.fetch import check_space, fetch, is_there
from pipeline.store.layout import Store
from pipeline.store.line import Line
from pipeline.store.transfer import Stopped

AT_ONCE = 4
_TICK, _LINGER = 0.1, 2.0


def fetch_all(
    store: Store,
    files: Sequence[LockedFile],
    root: Path,
    *,
    offline: bool = False,
    progress: Progress = SILENT,
    limit_rate: int | None = None,
) -> list[Path]:
    """Bring locked files into the store, each digest once; returns their paths, in the order asked.

    The room on the disk is checked for all of them first. The first error ends the others too, resumably, and is raised; see ``fetch``
    for what it may be. ``limit_rate`` is in bytes a second, for all together.
    """
    missing = list({file.digest: file for file in files if not is_there(store, file, progress)}.values())
    if missing:
        check_space(store, missing)
        line = Line(limit_rate)
        if len(missing) == 1:
            fetch(store, missing[0], root, offline=offline, progress=progress, line=line)
        else:
            _Crew(store, missing, root, offline, _Orderly(progress), line).run()
    return [store.path(file.digest) for file in files]


class _Crew:
    def __init__(
        self, store: Store, files: list[LockedFile], root: Path, offline: bool, progress: Progress, line: Line
    ) -> None:
        self._store, self._root, self._offline, self._progress, self._line = store, root, offline, progress, line
        self._files: queue.SimpleQueue[LockedFile] = queue.SimpleQueue()
        for file in files:
            self._files.put(file)
        self._failure: BaseException | None = None
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in files[:AT_ONCE]]

    def run(self) -> None:
        try:
            for thread in self._threads:
                thread.start()
            while any(thread.is_alive() for thread in self._threads) and self._failure is None:
                for thread in self._threads:
                    thread.join(_TICK / len(self._threads))
        finally:
            self._line.stop.set()
            deadline = time.monotonic() + _LINGER
            for thread in self._threads:
                thread.join(max(0.0, deadline - time.monotonic()))
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        while not self._line.stop.is_set():
            try:
                file = self._files.get_nowait()
            except queue.Empty:
                return
            try:
                fetch(
                    self._store,
                    file,
                    self._root,
                    offline=self._offline,
                    progress=self._progress,
                    line=self._line,
                )
            except Stopped:
                return
            except BaseException as error:
                self._failure = self._failure or error
                return


class _Orderly:
    """A progress that several threads may use: one call at a time."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._lock = progress, threading.Lock()

    def note(self, message: str) -> None:
        with self._lock:
            self._progress.note(message)

    @contextmanager
    def task(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        context: AbstractContextManager[Task] = self._progress.task(label, total, unit)
        with self._lock:
            task = context.__enter__()
        try:
            yield task
        finally:
            with self._lock:
                context.__exit__(None, None, None)
