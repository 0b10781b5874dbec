"""Key material as files, which is all that ssh and libvirt read: private, of one process, gone with it."""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from clustermgr.drivers.contract import Refused

_ROOT = Path(__file__).resolve().parents[3]
_lock = threading.Lock()
_own: tuple[int, Path] | None = None  # process, its folder


def keep(files: Mapping[str, str], *, programs: frozenset[str] = frozenset()) -> Path:
    """A folder (0700) with these texts as files (0600; 0700 for `programs`). Equal content, same folder.

    `{folder}` in a text stands for the folder's own path. Raises Refused when the disk does not take it.
    """
    digest = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:32]
    with _lock:
        try:
            folder = _own_folder() / digest
            if not folder.exists():
                _write(folder, files, programs)
        except OSError as error:
            raise Refused(
                f"The keys could not be kept for a connection: {error.strerror}. Look at the disk and the"
                f" rights of {base()} on the manager's machine.",
                raw=str(error),
            ) from error
    return folder


def base() -> Path:
    """Where the folders of this machine's processes lie: beside the manager's own keys, never shared."""
    return Path(os.environ.get("CLUSTERMGR_VAR") or _ROOT / "var").absolute() / "connections"


def _write(folder: Path, files: Mapping[str, str], programs: frozenset[str]) -> None:
    """Whole or not at all: written beside, then renamed."""
    draft = folder.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    for name, text in files.items():
        mode = 0o700 if name in programs else 0o600
        handle = os.open(draft / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(handle, "w") as file:
            file.write(text.replace("{folder}", str(folder)))
    draft.rename(folder)


def _own_folder() -> Path:
    """Made anew after a fork: the parent clears its own away when it ends."""
    global _own
    process = os.getpid()
    if _own is None or _own[0] != process or not _own[1].is_dir():
        base().mkdir(mode=0o700, parents=True, exist_ok=True)
        base().chmod(0o700)
        sweep()
        folder = _held(Path(tempfile.mkdtemp(prefix=".", dir=base())), process)
        _own = (process, folder)
        atexit.register(_forget, process, folder)
    return _own[1]


def _held(draft: Path, process: int) -> Path:
    """The lock says that a process lives that needs the folder. It ends with that process, however it ends,
    and holds between containers, where process numbers mean nothing. Never closed; named when locked."""
    fcntl.flock(os.open(draft, os.O_RDONLY | os.O_DIRECTORY), fcntl.LOCK_SH)
    return draft.rename(draft.with_name(f"{process}-{draft.name[1:]}"))


def sweep() -> None:
    """Remove folders that nobody holds: of processes that were killed. A draft holds no keys yet."""
    for folder in base().glob("[!.]*"):
        with suppress(OSError):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)


def _forget(process: int, folder: Path) -> None:
    if os.getpid() == process:  # a fork inherits what runs at exit
        shutil.rmtree(folder, ignore_errors=True)
