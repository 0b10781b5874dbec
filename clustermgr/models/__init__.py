"""Tables and constraints. No side effects, no signals; only `actions` write them."""

from clustermgr.models.access import ApiToken, Membership, SignInLink
from clustermgr.models.claim import Claim
from clustermgr.models.cluster import Cluster, Network, Node, Volume, VolumeAccess, WatchShard
from clustermgr.models.event import AuditEntry, Event, OrderKey
from clustermgr.models.installation import Installation
from clustermgr.models.node import Candidate, NodeAccess
from clustermgr.models.operation import Operation, OperationTally, Slot
from clustermgr.models.vm import Drift, Holder, Vm

__all__ = [
    "ApiToken",
    "AuditEntry",
    "Candidate",
    "Claim",
    "Cluster",
    "Drift",
    "Event",
    "Holder",
    "Installation",
    "Membership",
    "Network",
    "Node",
    "NodeAccess",
    "Operation",
    "OperationTally",
    "OrderKey",
    "SignInLink",
    "Slot",
    "Vm",
    "Volume",
    "VolumeAccess",
    "WatchShard",
]
