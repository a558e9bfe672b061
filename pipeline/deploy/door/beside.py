"""Run a front door in a thread of its own, beside whoever watches over the engines."""

from __future__ import annotations

import asyncio
import gc
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TypeVar

import uvloop

from pipeline.core.errors import UsageError
from pipeline.deploy.door.door import Door
from pipeline.deploy.door.model import Upstream

T = TypeVar("T")
_FILES = 20000


def bound(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address; it does not listen yet. Port 0 takes a free one.

    Raises UsageError when the address is no address of this machine, or is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except OSError as error:
        made.close()
        hint = "choose another: --port 0" if port else "an address of this machine, or 127.0.0.1"
        raise UsageError(f"can't listen on {host}:{port}: {error.strerror or error}", hint=hint) from None
    return made


class Beside:
    """A door that runs in another thread."""

    def __init__(self, door: Door, loop: asyncio.AbstractEventLoop) -> None:
        self.door, self._loop = door, loop

    def replace(self, upstream: Upstream) -> None:
        """As ``Door.replace``; it holds when this returns."""
        self.do(lambda: self.door.replace(upstream))

    def close(self, name: str, why: str) -> None:
        """Take a model out of service."""
        self.do(lambda: self.door.room(name).close(why))

    def pause(self, name: str) -> None:
        """Let what comes for a model wait, until ``replace``."""
        self.do(lambda: self.door.room(name).pause())

    def idle(self, upstream: Upstream) -> bool:
        """Tell whether an engine has no request now."""
        return self.do(lambda: self.door.room(upstream.name).idle(upstream))

    def empty(self, upstream: Upstream, within: float) -> bool:
        """Wait until an engine that was replaced has no request any more; tells whether it is so."""
        waiting = asyncio.wait_for(self.door.room(upstream.name).empty(upstream), within)
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(waiting, self._loop).result()
            return True
        return False

    def drain(self, within: float) -> bool:
        """As ``Door.drain``."""
        return asyncio.run_coroutine_threadsafe(self.door.drain(within), self._loop).result()

    def do(self, what: Callable[[], T]) -> T:
        """Do something in the door's thread; returns or raises what it does."""
        done: Future[T] = Future()

        def call() -> None:
            try:
                done.set_result(what())
            except BaseException as error:
                done.set_exception(error)

        self._loop.call_soon_threadsafe(call)
        return done.result()


@contextmanager
def beside(make: Callable[[], Door], listening: socket.socket) -> Iterator[Beside]:
    """Run the door that ``make`` makes until the block ends; what is still in flight then is broken off.

    Raises what making or opening it raises.
    """
    _more_files()
    ready: Future[Beside] = Future()
    over = threading.Event()

    async def stay() -> None:
        try:
            door = make()
            await door.open(listening)
        except BaseException as error:
            ready.set_exception(error)
            return
        gc.freeze()  # what is there now stays: no collection goes through all of it while answers stream
        ready.set_result(Beside(door, asyncio.get_running_loop()))
        await asyncio.get_running_loop().run_in_executor(None, over.wait)
        await door.drain(0.0)

    def run() -> None:
        # uvloop: a token takes a third less of the processor than with asyncio's own loop.
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(stay())

    thread = threading.Thread(target=run, name="door", daemon=True)
    thread.start()
    try:
        yield ready.result()
    finally:
        over.set()
        thread.join()
        listening.close()
        gc.unfreeze()  # what stays frozen to the end is taken for a leak by the libraries that hold it


def _more_files() -> None:
    """Allow as many open files as the system lets us: each client takes one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
