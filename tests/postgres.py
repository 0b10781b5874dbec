"""A private PostgreSQL of the distribution: its own folder, its own unix socket, no port, no service.

As a program it gives a command TEST_DATABASE_URL: `python -m tests.postgres pytest tests/actions`.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

ACCOUNT = "postgres"
#: What only tests may do: what a power cut would lose is lost with the test anyway.
CARELESS = {"fsync": "off", "full_page_writes": "off"}


def program(name: str) -> str | None:
    """Debian keeps servers out of PATH, a folder for each version; the newest is taken."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    found = [path / name for path in reversed(folders) if (path / name).exists()]
    return str(found[0]) if found else shutil.which(name)


def unprivileged(*command: str) -> list[str]:
    """PostgreSQL refuses to be root, so root lends it the account of its package."""
    if os.geteuid() != 0:
        return list(command)
    # Whoever started it may be killed; it does not outlive him.
    account = (f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--init-groups", "--pdeathsig=QUIT")
    return ["setpriv", *account, "--", *command]


class Postgres:
    """`with Postgres(folder) as server:` then `server.url()`. It can be frozen, stopped and started again.

    The folder must be short: a socket's path has 107 bytes at most.
    """

    def __init__(self, folder: Path, *, data: Path | None = None, **settings: str) -> None:
        self.folder, self.data = folder, data or folder / "data"
        self.settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Postgres:
        self.make()
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def make(self, user: str = "clustermgr") -> None:
        """The files of an empty server, owned by who will run it."""
        for folder in (self.folder, self.data):
            folder.mkdir(parents=True, exist_ok=True)
            if os.geteuid() == 0:
                account = pwd.getpwnam(ACCOUNT)
                os.chown(folder, account.pw_uid, account.pw_gid)
        options = ("-U", user, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        made = [program("initdb") or "initdb", "-D", str(self.data), *options]
        subprocess.run(unprivileged(*made), cwd="/", check=True, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        chosen = {"listen_addresses": "", "unix_socket_directories": str(self.folder), **self.settings}
        words = [word for name, value in chosen.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                unprivileged(program("postgres") or "postgres", "-D", str(self.data), *words),
                cwd="/",
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 30
        while not self.answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise AssertionError(f"PostgreSQL did not start.\n{(self.folder / 'log').read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """At once, as a machine that goes away; its log of changes brings it back."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            self._process = None

    def answers(self) -> bool:
        asked = [program("pg_isready") or "pg_isready", "-q", "-h", str(self.folder), "-U", "clustermgr"]
        return subprocess.run(asked, check=False).returncode == 0

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://clustermgr@{quote(str(self.folder), safe='')}/{name}"

    def create(self, name: str) -> str:
        """A new empty database; its URL."""
        made = [program("createdb") or "createdb", "-h", str(self.folder), "-U", "clustermgr", name]
        subprocess.run(made, check=True)
        return self.url(name)


@contextlib.contextmanager
def server_for_tests() -> Iterator[Postgres]:
    """Quick, and gone with all that it held."""
    with (
        tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as folder,
        Postgres(Path(folder), max_connections="300", **CARELESS) as server,
    ):
        yield server


def main(command: list[str]) -> int:
    """Run a command beside a server that lives as long as it does."""
    with server_for_tests() as server:
        environment = {**os.environ, "TEST_DATABASE_URL": server.create("clustermgr")}
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
