"""The processes of an installation in a copy of a seeded folder, and ways into them."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.client import Client
from tests.bench.scale import SLUG
from tests.stack import Stack


@contextmanager
def running(seed: Path | None, folder: Path) -> Iterator[Stack]:
    """`manage.py up` in `folder`, begun from a copy of `seed`; without one it is the demonstration."""
    if seed is not None:
        shutil.copytree(seed, folder)
    with Stack(folder) as stack:
        # Left for clusterctl when the administrator's account is there.
        stack.wait((folder / "clusterctl.json").exists, 30, "the administrator")
        yield stack


def browser(stack: Stack) -> Client:
    """The administrator, signed in."""
    client = Client(stack.url)
    client.sign_in("admin", stack.password)
    return client


def query(stack: Stack, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """The truth of the rows, read past the console."""
    connection = sqlite3.connect(f"file:{stack.var / 'clustermgr.sqlite3'}?mode=ro", uri=True, timeout=20)
    try:
        return list(connection.execute(sql, values))
    finally:
        connection.close()


def settings_of(var: Path) -> None:
    """Let this process read the rows of an installation with the project's own code."""
    import django

    os.environ["CLUSTERMGR_VAR"] = str(var)
    os.environ["DJANGO_SETTINGS_MODULE"] = "clustermgr.settings"
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    django.setup()
    logging.disable(logging.INFO)


def rows_of() -> Any:
    """Rows of the large cluster for `addresses`; the settings are loaded."""
    from clustermgr.models import Event, Node, Operation, Vm
    from tests.bench.addresses import Rows

    operation = Operation.objects.order_by("-pk").values_list("pk", flat=True).first()
    return Rows(
        slug=SLUG,
        vm=Vm.objects.filter(state="running").order_by("pk").values_list("pk", flat=True)[0],
        node=Node.objects.order_by("pk").values_list("pk", flat=True)[0],
        operation=operation,
        event=Event.objects.order_by("-pk").values_list("pk", flat=True)[0],
    )
