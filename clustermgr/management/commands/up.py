"""`manage.py up`: everything that an installation on one machine needs, in one window, until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from kombu.exceptions import OperationalError as BrokerError

from clustermgr.drivers.lab.console_auth import sign_in_link
from clustermgr.jobs.beat import SCHEDULE
from clustermgr.ports import clock, runner
from clustermgr.supervisor import first_start, installation, probe, processes, redis_server
from clustermgr.supervisor.installation import Installation, StartRefused
from clustermgr.supervisor.keeper import Keeper
from clustermgr.supervisor.lock import Lock
from clustermgr.supervisor.log import Log


class Command(BaseCommand):
    help = "Start Redis, web, workers, watch, beat and the simulated hosts' console; Ctrl-C ends all."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        os.umask(0o077)  # databases and queues hold sessions and orders: for their owner alone
        try:
            place = installation.read(os.environ, Path(settings.VAR_DIR), tls=settings.TLS)
            lock = Lock(place.var)
            lock.take(f"at {place.address}")
            installation.require_free(place.host, place.port, "PORT")
            start(place)
        except StartRefused as refusal:
            print(refusal, file=sys.stderr)
            sys.exit(1)
        lock.free()


def start(place: Installation) -> None:
    began = clock().monotonic()
    log = Log(place.var / "log" / "clustermgr.log", form=settings.LOG_FORM)
    keeper = Keeper(environment=_environment(place), folder=str(settings.BASE_DIR), log=log, clock=clock())
    try:
        _redis(place, keeper)
        first_start.prepare(place, log.say)
        simulated = first_start.has_simulated_hosts()
        if simulated:
            installation.require_free(place.host, place.lab_port, "LAB_PORT")
        first_start.let_go()
        if not keeper.stopping:
            keeper.start(*_processes(place, simulated))
            _wake()
        if _web_answers(place, keeper):
            _greet(place, log, simulated, clock().monotonic() - began)
        elif not keeper.stopping:
            log.say("The web process has no page to show; the lines above say why.")
        keeper.run()
    finally:
        keeper.stop()
        log.say("everything has ended.")
        keeper.close()
        log.close()


def _web_answers(place: Installation, keeper: Keeper) -> bool:
    """Waits until it listens, and asks for one page only: a broken one is not asked again and again."""
    seen: list[int] = []

    def listens() -> bool:
        status = probe.status(place.host, place.port)
        seen.extend([] if status is None else [status])
        return bool(seen)

    return keeper.wait_for(listens, seconds=60, every=0.1) and seen[0] < 400


def _wake() -> None:
    """Begin now with what beat would begin in a few seconds; a queue that is away changes nothing."""
    for task, _, queue in SCHEDULE:
        with contextlib.suppress(BrokerError):
            runner().enqueue(task, queue=queue, expires=30)


def _redis(place: Installation, keeper: Keeper) -> None:
    if place.redis_url:
        if not redis_server.answers(place.redis_url):
            raise StartRefused("The Redis of REDIS_URL does not answer. Start it, or leave REDIS_URL out.")
        return
    keeper.start(redis_server.own_server(place.var))
    url = _redis_url(place)
    if not keeper.wait_for(lambda: redis_server.answers(url), seconds=30) and not keeper.stopping:
        raise StartRefused("Redis was started but does not answer; the lines above say why.")


def _redis_url(place: Installation) -> str:
    return place.redis_url or f"unix://{installation.redis_socket(place.var)}"


def _environment(place: Installation) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        # Checked by the web process; in workers the checks would load every page.
        "CELERY_SKIP_CHECKS": "1",
        # Root in a container or a lab is meant; Celery would warn about it at every start.
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
        "CLUSTERMGR_VAR": str(place.var.absolute()),
        "REDIS_URL": _redis_url(place),
        "CLUSTERMGR_LAB_CONSOLE_URL": place.lab_address,
    }


def _processes(place: Installation, simulated: bool) -> list[processes.Process]:
    table = [
        processes.web(place.host, place.port, behind_proxy=settings.TLS),
        processes.worker(),
        processes.watch(),
        processes.beat(),
    ]
    return [*table, processes.console(place.host, place.lab_port)] if simulated else table


def _greet(place: Installation, log: Log, simulated: bool, seconds: float) -> None:
    console = sign_in_link(place.lab_address) if simulated else ""
    text = first_start.greeting(place, first_start.welcome(place), console=console)
    first_start.open_for_clusterctl(place)
    first_start.let_go()
    log.say(f"ready after {seconds:.1f} s at {place.public_address}/")
    log.show(f"\n{text}\n\n  Ctrl-C ends everything; the data stays in {place.var}.\n")
