"""`manage.py demo`: the demonstration cluster on simulated hosts, once; a second call changes nothing."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from clustermgr.access import Actor
from clustermgr.actions import clusters
from clustermgr.core.states import Role
from clustermgr.drivers.lab import demo, store
from clustermgr.jobs import inventory
from clustermgr.models import Cluster

SETUP = Actor(name="set-up", role=Role.ADMINISTRATOR, origin="command line")


class Command(BaseCommand):
    help = "Make the demonstration cluster on simulated hosts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--second", action="store_true", help="also a second, small cluster")

    def handle(self, *args: Any, **options: Any) -> None:
        hosts = store.default()
        self._make(demo.seed(hosts), options["verbosity"])
        if options["second"]:
            self._make(demo.seed_second(hosts), options["verbosity"])

    def _make(self, seeded: demo.Cluster, verbosity: int) -> None:
        cluster = Cluster.objects.filter(name=seeded.name).first()
        if cluster is None:
            cluster = clusters.create_cluster(actor=SETUP, name=seeded.name)
        known = set(cluster.nodes.values_list("address", flat=True))
        added = [
            clusters.add_node(
                actor=SETUP,
                cluster=cluster,
                name=spec.name,
                driver="lab",
                address=address,
                migration_address=address,
            )
            for spec, address in zip(seeded.nodes, seeded.addresses, strict=True)
            if address not in known
        ]
        for sentence in inventory.take_in_all(added, demo.HINTS):
            self.stderr.write(sentence)
        if verbosity:
            self.stdout.write(f"{cluster}: {cluster.nodes.count()} nodes, {cluster.vms.count()} roles.")
