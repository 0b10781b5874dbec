"""What an installation needs before its processes start: tables, a cluster to look at, an administrator."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.urls import reverse

from clustermgr.actions import accounts, tokens
from clustermgr.errors import ActionRefused
from clustermgr.models import Node
from clustermgr.supervisor.installation import Installation, StartRefused

Say = Callable[[str], None]
ADMINISTRATOR = "admin"


@dataclass(frozen=True, slots=True)
class Welcome:
    """How the administrator gets in. `password` is empty when it was changed since it was made."""

    name: str
    password: str
    link: str


def prepare(installation: Installation, say: Say) -> None:
    """Bring the tables up to date, and fill an installation that manages nothing yet."""
    try:
        _require_database()
        _migrate(say)
        _make_cluster(installation, say)
    except CommandError as error:
        raise StartRefused(str(error)) from None
    except OperationalError as error:
        reason = " ".join(str(error).split()) or "no answer"
        raise StartRefused(f"The database of DATABASE_URL cannot be used: {reason}") from None


def has_simulated_hosts() -> bool:
    return Node.objects.filter(address__startswith="lab:").exists()


def let_go() -> None:
    """Close every connection, with its pool's threads, before processes are started from here."""
    for alias in connections:
        connections[alias].close()
        if hasattr(connections[alias], "close_pool"):
            connections[alias].close_pool()


def welcome(installation: Installation) -> Welcome:
    """The administrator's account, made at the first start; the link is new at each start."""
    kept = installation.var / "administrator.txt"
    user = get_user_model().objects.filter(username=ADMINISTRATOR).first()
    if user is None:
        password = _kept_password(kept)
        user = accounts.create_administrator(password, ADMINISTRATOR)
    else:
        password = kept.read_text().strip() if kept.exists() else ""
        if password and not user.check_password(password):
            password = ""
    path = reverse("sign-in-link", args=[accounts.make_link(user)])
    return Welcome(ADMINISTRATOR, password, installation.public_address + path)


def open_for_clusterctl(installation: Installation) -> Path:
    """Leave address and token where clusterctl looks, readable by this account alone.

    Where the administrator has no role any more there is nothing to leave.
    """
    place = installation.var / "clusterctl.json"
    user = get_user_model().objects.get(username=ADMINISTRATOR)
    try:
        known = str(json.loads(place.read_text())["token"])
    except (OSError, ValueError, KeyError, TypeError):
        known = ""
    try:
        secret = tokens.secret_for_this_machine(user, known)
    except ActionRefused:
        place.unlink(missing_ok=True)
        return place
    text = json.dumps({"url": installation.address, "token": secret}) + "\n"
    fresh = place.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(text)
    fresh.replace(place)
    return place


def greeting(installation: Installation, welcome: Welcome, *, console: str) -> str:
    """What to open and how to get in; for the terminal alone, since it holds the password."""
    kept = installation.var / "administrator.txt"
    rows = {
        "address": f"{installation.public_address}/",
        "administrator": welcome.name,
        "password": f"{welcome.password}  (kept in {kept})" if welcome.password else "the one you set",
        "sign in once": welcome.link,
    }
    if console:
        rows["host console"] = f"{console}  (the simulated hosts' own)"
    return "\n".join(f"  {name:<14} {value}" for name, value in rows.items())


def _require_database() -> None:
    """One plain attempt: the pool would go on trying for long, and say so each time."""
    if connection.vendor == "postgresql":
        import psycopg

        try:
            psycopg.connect(settings.DATABASE_URL, connect_timeout=3).close()
        except psycopg.OperationalError as error:
            raise OperationalError(str(error)) from None


def _migrate(say: Say) -> None:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        say("making the database …" if len(plan) > 5 else "bringing the database up to date …")
        call_command("migrate", interactive=False, verbosity=0)


def _make_cluster(installation: Installation, say: Say) -> None:
    if installation.hosts == "none":
        return
    if installation.simulated and not Node.objects.exists():
        say("making the demonstration cluster on simulated hosts …")
        call_command("demo", verbosity=0)
    elif not installation.simulated and not Node.objects.exclude(address__startswith="lab:").exists():
        say("taking the hosts of the KVM lab in …")
        call_command("import_cluster", "--kvm-lab", verbosity=0)


def _kept_password(path: Path) -> str:
    """Made once for this installation, readable by its owner alone."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as handle:
            handle.write("-".join(secrets.token_hex(3) for _ in range(3)) + "\n")
    return path.read_text().strip()
