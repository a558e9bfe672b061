"""Opening the database: one process at a time, under one lock, and only for as long as it takes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import duckdb

from pipeline.core.errors import UsageError
from pipeline.core.files import fsync_folder, locked
from pipeline.record import schema

# Blocks of a quarter of the usual size: a new database is some hundred KiB, a large one not larger than with the usual.
_BLOCK = 65_536
# Reports and merges of millions of rows need no more; what does not fit goes to a folder beside the database. A writer holds
# what it writes, so it is not bound.
MEMORY = "512MB"
_Config = dict[str, str | bool | int | float | list[str]]
# SQL in this database reads and writes this database alone: no other file, no network, no extension download.
_CLOSED: _Config = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C be Ctrl-C: where a signal's handler raises within a query, DuckDB raises an error of its own instead."""
    try:
        yield
    except (RuntimeError, duckdb.InterruptException) as error:
        if isinstance(error, duckdb.InterruptException) or str(error) == "Query interrupted":
            raise KeyboardInterrupt from None
        raise


@contextmanager
def _room_told(database: Path) -> Iterator[None]:
    """A disk that takes no more is no bug of ours: say so."""
    try:
        yield
    except (duckdb.IOException, duckdb.TransactionException) as error:
        if isinstance(error, duckdb.TransactionException) and "Failed to commit" not in str(error):
            raise
        said = f"{database} can't be written: {first_line(error)}"
        raise UsageError(said, hint="is the disk full? what was on record before is still there") from None


@contextmanager
def writing(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open for one transaction, the schema up to date: committed when the block ends, undone when it raises or the
    process dies.

    Raises UsageError when the file is no database, is newer than this version, or can't be written.
    """
    with interruptible(), _room_told(database), alone(database):
        if not database.exists():
            _create(database)
        with _connect(database, read_only=False) as connection:
            schema.migrate(connection)
            connection.execute("BEGIN")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(duckdb.Error):
                    connection.execute("ROLLBACK")
                raise


@contextmanager
def keeping(database: Path) -> Iterator[None]:
    """Keep the database open from one reading to the next, in this thread, until the block ends: opening a large one takes
    longer than most questions. A writer within the block closes it first; the next reading opens it again.
    """
    if _kept.database is not None:
        yield
        return
    _kept.database = database
    try:
        yield
    finally:
        _kept.close()
        _kept.database = None


@contextmanager
def reading(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open for reading alone. A database that doesn't exist reads as an empty one, and nothing is created.

    Raises UsageError as ``writing`` does.
    """
    with ExitStack() as stack:
        stack.enter_context(interruptible())
        if not database.exists():
            connection = stack.enter_context(opened(":memory:", _CLOSED))
            schema.migrate(connection)
        elif database == _kept.database:
            connection = stack.enter_context(_kept.connected().cursor())
        else:
            connection = stack.enter_context(_read_only(database))
        yield connection


@contextmanager
def alone(database: Path) -> Iterator[None]:
    """Be the only one who has the database open, for the time of the block."""
    if database == _kept.database:
        _kept.close()
    with locked(lock_of(database)):
        yield


@contextmanager
def _read_only(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with alone(database):
        if not database.with_name(
            f"{database.name}.wal"
        ).exists():  # else a killed writer left it, and each reader would read it
            with _connect(database, read_only=True) as connection:
                if schema.applied(connection) == len(schema.MIGRATIONS):
                    yield connection
                    return
        with _connect(database, read_only=False) as connection:
            schema.migrate(connection)
        with _connect(database, read_only=True) as connection:
            yield connection


class _Kept(threading.local):
    """What a thread keeps open, if anything."""

    database: Path | None = None
    connection: duckdb.DuckDBPyConnection | None = None
    stack: ExitStack | None = None

    def connected(self) -> duckdb.DuckDBPyConnection:
        """Return the connection, which is opened if it isn't."""
        if self.connection is None:
            assert self.database is not None
            stack = ExitStack()
            self.connection = stack.enter_context(_read_only(self.database))
            self.stack = stack
        return self.connection

    def close(self) -> None:
        """Close it, and let others have it."""
        if self.stack is not None:
            self.stack.close()
        self.stack = self.connection = None


_kept = _Kept()


def lock_of(database: Path) -> Path:
    """Return the lock that everybody takes before opening a database."""
    return database.with_name(f"{database.name}.lock")


def opened(database: str, config: _Config, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Open a database; a slow query draws no bar on stdout, where the answer goes."""
    connection = duckdb.connect(database, read_only=read_only, config=config)
    connection.execute("SET enable_progress_bar = false")
    return connection


def _connect(database: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    try:
        return opened(str(database), _CLOSED | ({"memory_limit": MEMORY} if read_only else {}), read_only=read_only)
    except duckdb.Error as error:
        raise UsageError(
            f"cannot open {database} as a results database: {first_line(error)}",
            hint="if the file is damaged, move it away; assay then starts a new one",
        ) from None


def _create(database: Path) -> None:
    """Make the database beside its place and move it there whole, so that a kill leaves no half-made file."""
    temporary = database.with_name(f".{database.name}.new")
    for leftover in (temporary, temporary.with_name(f"{temporary.name}.wal")):
        leftover.unlink(missing_ok=True)
    with opened(str(temporary), _CLOSED | {"default_block_size": _BLOCK}) as connection:
        schema.migrate(connection)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(database)
    fsync_folder(database.parent)


def first_line(error: duckdb.Error) -> str:
    """Return what an error of the database says, without what it adds for programmers."""
    return next(iter(str(error).splitlines()), type(error).__name__)
