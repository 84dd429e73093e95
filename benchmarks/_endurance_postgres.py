"""A PostgreSQL server of one's own, to be restarted under those who use it."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

__all__ = ("Server", "binaries", "server")

PLACES: Final = ("/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt")
OPTIONS: Final = (
    "-c fsync=off -c full_page_writes=off -c max_connections=60 -c shared_buffers=32MB "
    "-c listen_addresses=127.0.0.1"
)
"""What the operating system loses with its power is not what is looked at here."""


def binaries() -> Path | None:
    """Return where the programs of a PostgreSQL server are, or None where there are none."""
    found = shutil.which("pg_ctl")
    if found is not None and shutil.which("initdb") is not None:
        return Path(found).parent
    candidates = (path for place in PLACES for path in Path(place).glob("**/bin/pg_ctl"))
    return next((path.parent for path in sorted(candidates, reverse=True)), None)


class Server:
    """A server.

    Attributes:
        url: Where it is.
    """

    def __init__(self, programs: Path, folder: Path, who: dict[str, Any]) -> None:
        self._programs = programs
        self._folder = folder
        self._who = who
        with closing(socket.create_server(("127.0.0.1", 0))) as probe:
            self._port = probe.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}/postgres"

    def make(self) -> None:
        """Make its files."""
        options = ("-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
        self._run("initdb", "-D", str(self._folder / "data"), *options)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        where = f"{OPTIONS} -c port={self._port} -c unix_socket_directories={self._folder}"
        self._control("-l", str(self._folder / "log"), "-o", where, "-w", "start")

    def stop(self) -> None:
        """Stop it at once, as a crash does: what it was doing is undone when it starts."""
        self._control("-m", "immediate", "-w", "stop")

    def restart(self) -> None:
        """Stop it at once and start it again."""
        self.stop()
        self.start()

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        # What it prints goes to a file: a server that is left running would hold a pipe open.
        with (self._folder / "out").open("wb") as out:
            command = (str(self._programs / program), *arguments)
            done = subprocess.run(  # noqa: S603  # a program of the database
                command, check=False, stdout=out, stderr=out, cwd=self._folder, **self._who
            )
        if done.returncode:
            text = (self._folder / "out").read_text(errors="replace")
            raise OSError(done.returncode, f"{program}: {text}")


@contextmanager
def server() -> Iterator[Server]:
    """Run a server in a folder of its own; it is gone afterwards.

    Raises:
        FileNotFoundError: There is no PostgreSQL to run.
    """
    programs = binaries()
    if programs is None:
        msg = "initdb and pg_ctl of PostgreSQL are not installed"
        raise FileNotFoundError(msg)
    folder = Path(tempfile.mkdtemp(prefix="endurance-"))
    who = _nobody(folder)
    made = Server(programs, folder, who)
    try:
        made.make()
        made.start()
        yield made
    finally:
        with suppress(OSError):
            made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _nobody(folder: Path) -> dict[str, Any]:
    """Give a folder to somebody without rights: PostgreSQL refuses to run for root."""
    if os.geteuid():
        return {}
    found = next(filter(None, map(_user, ("postgres", "nobody"))))
    os.chown(folder, found.pw_uid, found.pw_gid)
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": ()}


def _user(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None
