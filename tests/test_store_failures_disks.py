"""Disks that are full or cannot be written to, and files that others have locked."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from planted import OTHER, SECRET, hits, refused
from stored import SPACE, finished, forked, grow, key, started

from memory.errors import StoreError
from memory.records import Forgotten
from memory.stores import SqliteStore

NOBODY = 65_534
FULL = "full; make room on the disk, nothing was written"
READ_ONLY = "it can be read, but nothing can be written to it"


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Callable[[str], object]]:
    """Put a small disk there and yield what mounts it with options; skip where nobody may."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None or os.getuid() != 0:
        pytest.skip("only the superuser of a system with mount(8) can mount a small disk")
    folder.mkdir()
    options = f"size={size},mode=700"
    made = subprocess.run([mount, "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False)
    if made.returncode:
        pytest.skip("no disk can be mounted here, as in most containers")
    try:
        yield lambda more: subprocess.run([mount, "-o", f"remount,{more}", folder], check=True)
    finally:
        subprocess.run([umount, "--lazy", folder], check=True)


def until_full(write: Callable[[], int]) -> int:
    """Write until there is an error; return how often that worked."""
    done = 0
    while True:
        try:
            done = write()
        except StoreError:
            return done


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[str], object]]]:
    """Return the folder of a disk of three megabytes, and what mounts it anew."""
    folder = tmp_path / "disk"
    with mounted(folder, "3m") as again:
        yield folder, again


def test_a_full_disk_refuses_and_keeps(disk: tuple[Path, Callable[[str], object]]) -> None:
    """What was said can be read, in this process and in others; with room it goes on."""
    path = disk[0] / "memory.db"
    with SqliteStore(path) as store:
        grow(store, key(), turns=3)
        ballast = disk[0] / "ballast"
        ballast.write_bytes(bytes(1_500_000))
        much = until_full(lambda: grow(store, key("much"), text="x" * 4_000))
        told = refused(partial(grow, store, key(), text="x" * 9_000))
        assert told.startswith(f"{path}: ")
        assert FULL in told
        with SqliteStore(path) as other:
            assert (3, much) == (other.load(key()).version, other.load(key("much")).version)
        assert (3, much) == (store.load(key()).version, store.load(key("much")).version)

        ballast.unlink()
        assert 4 == grow(store, key())
        assert much + 1 == grow(store, key("much"))
    with SqliteStore(path) as store:
        assert [much + 1, 4] == [each.version for each in store.conversations(SPACE)]


def test_no_room_for_a_new_file_is_told(disk: tuple[Path, Callable[[str], object]]) -> None:
    """With room it is made."""
    ballast = disk[0] / "ballast"
    with pytest.raises(OSError, match="No space left"):
        ballast.write_bytes(bytes(4_000_000))
    with SqliteStore(disk[0] / "memory.db") as store:
        assert str(disk[0] / "memory.db") in refused(partial(grow, store, key()))
        ballast.unlink()
        assert 1 == grow(store, key())


def test_forgetting_on_a_full_disk_forgets(disk: tuple[Path, Callable[[str], object]]) -> None:
    """Rewriting the file needs more room than there is; the bytes go all the same."""
    path = disk[0] / "memory.db"
    with SqliteStore(path) as store:
        grow(store, key("secret"), text=SECRET)
        store.search(SPACE, SECRET, user="ann")
        for _ in range(4):
            grow(store, key("much"), turns=80, text="x" * 4_000)
            store.close()
        (disk[0] / "ballast").write_bytes(bytes(100_000))

        found = Forgotten(logs=1, records=1, messages=1, documents=1)
        assert found == store.forget(key("secret"))
        assert {} == hits(disk[0], SECRET)
        assert 320 == store.load(key("much")).version


def test_a_limit_of_files_is_a_full_disk(tmp_path: Path) -> None:
    """Where a process may not write more: what was said before is there."""
    path = tmp_path / "memory.db"

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
        with SqliteStore(path) as store:
            version = until_full(lambda: grow(store, key(), text="x" * 4_000))
            assert str(path) in refused(partial(grow, store, key(), text="x" * 9_000))
            assert version == store.load(key()).version > 10

    assert 0 == finished(forked(limited))
    with SqliteStore(path) as store:
        assert store.load(key()).version > 10
        assert store.load(key()).version < grow(store, key())


def test_a_read_only_disk_can_be_read(disk: tuple[Path, Callable[[str], object]]) -> None:
    """As long as it is one."""
    folder, again = disk
    path = folder / "memory.db"
    with SqliteStore(path) as store:
        grow(store, key(), turns=3)
    again("ro")
    with SqliteStore(path) as store:
        assert 3 == store.load(key()).version
        assert 3 == len(store.conversations(SPACE)) + 2
        assert READ_ONLY in refused(partial(grow, store, key()))
        assert 3 == store.load(key()).version
    with SqliteStore(folder / "none.db") as store:
        assert str(folder / "none.db") in refused(partial(store.load, key()))
    again("rw")
    with SqliteStore(path) as store:
        assert 4 == grow(store, key())


@pytest.fixture
def public() -> Iterator[Path]:
    """Return a folder that every user of the system can reach, with a database in it."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        with SqliteStore(folder / "memory.db") as store:
            grow(store, key(), turns=3)
            store.search(SPACE, "hi", user="ann")
            store.forget(key(OTHER))
        yield folder
        folder.chmod(0o755)


def as_nobody(work: Callable[[], object]) -> int:
    """Do work as a user who owns nothing, in another process, and return its exit code."""

    def unprivileged() -> None:
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        work()

    return finished(forked(unprivileged))


def test_a_read_only_file_can_be_read(public: Path) -> None:
    """And searched; writing says why it does not work, each time."""
    path = public / "memory.db"

    def read() -> None:
        with SqliteStore(path) as store:
            for _ in range(2):
                assert 3 == store.load(key()).version
                assert 3 == len(store.search(SPACE, "hi", user="ann"))
                for call in (partial(grow, store, key()), partial(store.forget, key())):
                    assert READ_ONLY in refused(call)

    path.chmod(0o444)
    public.chmod(0o777)
    assert 0 == as_nobody(read)
    path.chmod(0o644)
    with SqliteStore(path) as store:
        assert 4 == grow(store, key())


@pytest.mark.parametrize(
    ("mode", "folder_mode"), [(0o000, 0o755), (0o600, 0o000), (0o444, 0o555), (0o666, 0o555)]
)
def test_a_file_of_somebody_else_is_named(public: Path, mode: int, folder_mode: int) -> None:
    """Whether the file or its folder is closed, which has to hold the log beside it."""
    path = public / "memory.db"

    def read() -> None:
        with SqliteStore(path) as store:
            for call in (partial(store.load, key()), partial(grow, store, key()), store.health):
                assert refused(call).startswith(f"{path}: ")

    path.chmod(mode)
    public.chmod(folder_mode)
    assert 0 == as_nobody(read)


LOCK = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA journal_mode")
database.execute(f"BEGIN {sys.argv[2]}")
if sys.argv[2] == "EXCLUSIVE":
    database.execute("CREATE TABLE theirs (id)")
print("locked", flush=True)
sys.stdin.readline()
database.execute("ROLLBACK")
database.close()
print("open", flush=True)
"""


@contextmanager
def locked(path: Path, kind: str) -> Iterator[Callable[[], object]]:
    """Have another process lock a file, and yield what makes it let go."""
    with ExitStack() as stack:
        process = stack.enter_context(started(LOCK, path, kind))
        assert process.stdout is not None
        assert "locked\n" == process.stdout.readline()

        def release() -> None:
            print(file=process.stdin, flush=True)
            assert process.stdout is not None
            assert "open\n" == process.stdout.readline()

        yield release


def test_a_locked_file_is_waited_for_and_then_refused(tmp_path: Path) -> None:
    """Not for ever; meanwhile it can be read, and afterwards it is as it should be."""
    path = tmp_path / "memory.db"
    with SqliteStore(path, timeout=0.4) as store:
        grow(store, key(), turns=3)
        with locked(path, "IMMEDIATE") as release:
            for call in (partial(grow, store, key()), partial(store.forget, key())):
                begun = time.monotonic()
                told = refused(call)
                assert 0.3 < time.monotonic() - begun < 3
                assert told.startswith(f"{path}: ")
                assert "another program has kept it locked, nothing was written" in told
            assert 3 == store.load(key()).version
            release()
        assert 4 == grow(store, key())


def test_a_file_that_is_locked_at_the_beginning_is_waited_for(tmp_path: Path) -> None:
    """Whoever opens it for the first time waits, too, and is told; then it opens."""
    path = tmp_path / "memory.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE other (id)")
    with SqliteStore(path, timeout=0.3) as store:
        with locked(path, "EXCLUSIVE") as release:
            begun = time.monotonic()
            assert str(path) in refused(partial(store.load, key()))
            assert 0.2 < time.monotonic() - begun < 5
            release()
        assert 1 == grow(store, key())
