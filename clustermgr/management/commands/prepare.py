"""`manage.py prepare`: tables, a cluster to look at and an administrator; what `up` does before it starts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from clustermgr.drivers.lab.console_auth import sign_in_link
from clustermgr.supervisor import first_start, installation
from clustermgr.supervisor.installation import StartRefused


class Command(BaseCommand):
    help = "Bring the tables up to date; make a demonstration cluster and an administrator where none is."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            place = installation.read(os.environ, Path(settings.VAR_DIR), tls=settings.TLS)
            first_start.prepare(place, self.stdout.write)
        except StartRefused as refusal:
            print(refusal, file=sys.stderr)
            sys.exit(1)
        console = sign_in_link(place.lab_address) if first_start.has_simulated_hosts() else ""
        self.stdout.write(first_start.greeting(place, first_start.welcome(place), console=console))
        first_start.open_for_clusterctl(place)
