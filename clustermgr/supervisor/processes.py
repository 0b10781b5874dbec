"""The processes of an installation and their commands: one table, for `up` and docker-compose.yml alike."""

from __future__ import annotations

from dataclasses import dataclass

_CELERY = ("-m", "celery", "--quiet", "--app", "clustermgr.celery")
_QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO")


@dataclass(frozen=True, slots=True)
class Process:
    """`argv` without the interpreter, or without `program`; `grace`: seconds between TERM and KILL."""

    name: str
    argv: tuple[str, ...]
    program: str = ""
    grace: float = 1.0
    hide: tuple[str, ...] = ()  # lines that hold one of these say nothing here


def web(host: str, port: int, *, behind_proxy: bool = False) -> Process:
    # A client may write any forwarding header, so only a proxy that was named is believed.
    proxy = "--proxy-headers" if behind_proxy else "--no-proxy-headers"
    return Process("web", _uvicorn("clustermgr.asgi:application", host, port, proxy), grace=1.0)


def console(host: str, port: int) -> Process:
    """The simulated hosts' own console; it knows nothing of the cluster."""
    app = "clustermgr.drivers.lab.console:app"
    return Process("console", _uvicorn(app, host, port, "--no-proxy-headers"), grace=1.0)


def worker() -> Process:
    queues = "operations,engine,default"
    options = ("-P", "threads", "-c", "40", "-Q", queues, "-n", "worker@%h", "--prefetch-multiplier", "1")
    return Process("worker", (*_CELERY, "worker", *options, *_QUIET), grace=2.5)


def watch() -> Process:
    """Looks at hosts without end; it must not hold messages that it has no thread for. Its threads start with
    the clusters, one for each."""
    options = ("-P", "threads", "-c", "32", "-Q", "watch", "-n", "watch@%h", "--prefetch-multiplier", "1")
    return Process("watch", (*_CELERY, "worker", *options, "--disable-prefetch", *_QUIET), grace=2.5)


def beat() -> Process:
    # The plain scheduler keeps nothing on disk, so a kill leaves nothing to repair.
    options = ("-S", "celery.beat:Scheduler", "--enable-remote-control", "-n", "beat@%h")
    return Process("beat", (*_CELERY, "beat", *options, "--loglevel", "WARNING"), grace=1.2)


#: Who sends work ends first, who carries it last; those of one line end together.
STOP_ORDER = (("beat", "watch", "worker"), ("web", "console"), ("redis",))


def stop_stages(names: list[str]) -> list[list[str]]:
    known = {name for stage in STOP_ORDER for name in stage}
    first = [name for name in names if name not in known]
    stages = [first, *([name for name in stage if name in names] for stage in STOP_ORDER)]
    return [stage for stage in stages if stage]


def _uvicorn(app: str, host: str, port: int, *options: str) -> tuple[str, ...]:
    listen = ("--host", host, "--port", str(port), "--ws", "websockets-sansio", "--ws-max-size", "65536")
    quiet = ("--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "1")
    return ("-m", "uvicorn", app, *listen, *quiet, "--log-level", "warning", *options)
