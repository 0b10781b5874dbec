"""`manage.py import_cluster FILE`: a cluster from a description of its hosts; again: what is new is added."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from clustermgr.access import Actor
from clustermgr.actions import clusters, volumes
from clustermgr.core.states import Role
from clustermgr.drivers import registry
from clustermgr.drivers.contract import Unsupported
from clustermgr.errors import ActionRefused
from clustermgr.jobs import inventory
from clustermgr.models import Cluster, Node

SETUP = Actor(name="set-up", role=Role.ADMINISTRATOR, origin="command line")


class Command(BaseCommand):
    help = "Make a cluster of the hosts that a file describes, and roles of the VMs found on them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", nargs="?", help='{"cluster": …, "nodes": [{"name", "driver", "address"}]}'
        )
        parser.add_argument("--kvm-lab", action="store_true", help="the lab that `make kvm-lab` brought up")

    def handle(self, *args: Any, **options: Any) -> None:
        described = self._read(options["file"], options["kvm_lab"])
        try:
            for driver in sorted({node["driver"] for node in described["nodes"]}):
                registry.load(driver)
            cluster = self._cluster(described)
            nodes = [self._node(cluster, node) for node in described["nodes"]]
        except (KeyError, TypeError, ValueError) as error:
            raise CommandError(f"The description lacks or misspells {error}.") from None
        except (ActionRefused, Unsupported) as refused:
            raise CommandError(str(refused)) from None
        for sentence in inventory.take_in_all(nodes, described.get("hints")):
            self.stderr.write(sentence)
        if options["verbosity"]:
            self.stdout.write(f"{cluster}: {cluster.nodes.count()} nodes, {cluster.vms.count()} roles.")

    def _read(self, name: str | None, kvm_lab: bool) -> dict[str, Any]:
        if kvm_lab:
            from clustermgr.kvmlab import layout

            name = str(layout.find().description)
        if not name:
            raise CommandError("Name the file that describes the cluster, or give --kvm-lab.")
        try:
            return dict(json.loads(Path(name).read_text()))
        except OSError:
            down = "The KVM lab is not up. Bring it up first: make kvm-lab"
            raise CommandError(down if kvm_lab else f"{name} cannot be read.") from None
        except ValueError as error:
            raise CommandError(f"{name} is not JSON: {error}.") from None

    def _cluster(self, described: dict[str, Any]) -> Cluster:
        cluster = Cluster.objects.filter(name=described["cluster"]).first()
        if cluster is None:
            cluster = clusters.create_cluster(
                actor=SETUP,
                name=described["cluster"],
                allow_unsafe_migration=bool(described.get("allow_unsafe_migration", False)),
                migration_bandwidth_mib_s=int(described.get("migration_bandwidth_mib_s", 0)),
            )
        for volume in described.get("volumes", ()):
            volumes.declare_ahead(actor=SETUP, cluster=cluster, name=volume["name"], kind=volume["kind"])
        return cluster

    def _node(self, cluster: Cluster, described: dict[str, Any]) -> Node:
        known = cluster.nodes.filter(driver=described["driver"], address=described["address"]).first()
        return known or clusters.add_node(
            actor=SETUP,
            cluster=cluster,
            name=described["name"],
            driver=described["driver"],
            address=described["address"],
            migration_address=described.get("migration_address", ""),
        )
