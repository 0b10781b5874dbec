"""The lab's command line: python -m clustermgr.kvmlab up | down | status | ..."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from clustermgr.kvmlab import doors, lab, network, nodes
from clustermgr.kvmlab.layout import NODES, LabError, Layout, find

NODE_VERBS = {
    "power-off": "pull the node's plug: its daemon and guests end at once",
    "power-on": "switch the node on again, with the definitions that it had",
    "daemon-kill": "end the node's libvirt daemon; its guests go on",
    "daemon-start": "start the node's libvirt daemon again",
    "daemon-hang": "stop the daemon without ending it: it accepts connections and answers nothing",
    "daemon-unhang": "let a hung daemon go on",
    "link-down": "pull the node's network cable",
    "link-up": "plug the network cable in again",
}


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m clustermgr.kvmlab", description=lab.__doc__)
    verbs = top.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up", help="start three nodes and their guests (needs root)")
    verbs.add_parser("down", help="end and remove everything except the cache")
    verbs.add_parser("status", help="nodes and guests")
    verbs.add_parser("env", help="where the description is, as shell variables")
    for verb, text in NODE_VERBS.items():
        verbs.add_parser(verb, help=text).add_argument("node", type=int, choices=NODES)
    ssh = verbs.add_parser("sshd", help="let root sign in to the node by ssh; prints its host keys")
    ssh.add_argument("node", type=int, choices=NODES)
    ssh.add_argument("authorized", type=Path, help="a file of public keys")
    tls = verbs.add_parser("tls", help="let the node's libvirt daemon listen by TLS")
    tls.add_argument("node", type=int, choices=NODES)
    tls.add_argument("folder", type=Path, help="holds cacert.pem, servercert.pem, serverkey.pem")
    inner = verbs.add_parser("exec", help="run a command inside a node")
    inner.add_argument("node", type=int, choices=NODES)
    inner.add_argument("command", nargs=argparse.REMAINDER)
    switch = verbs.add_parser("mgmt", help="run a command at the switch")
    switch.add_argument("command", nargs=argparse.REMAINDER)
    return top


def node_verb(layout: Layout, verb: str, number: int) -> None:
    match verb:
        case "power-off":
            nodes.power_off(layout, number)
        case "power-on":
            nodes.power_on(layout, number)
        case "daemon-kill":
            nodes.daemon_signal(layout, number, "KILL")
        case "daemon-start":
            nodes.daemon_start(layout, number)
        case "daemon-hang":
            nodes.daemon_signal(layout, number, "STOP")
        case "daemon-unhang":
            nodes.daemon_signal(layout, number, "CONT")
        case "link-down" | "link-up":
            network.set_link(layout, number, verb.removeprefix("link-"))


def command(layout: Layout, arguments: argparse.Namespace) -> None:
    match arguments.verb:
        case "up":
            began = time.monotonic()
            for note in lab.up(layout):
                print(note)
            print(f"Up in {time.monotonic() - began:.1f} s. Description: {layout.description}")
        case "down":
            lab.down(layout)
        case "status":
            print("\n".join(lab.status(layout)))
        case "env":
            print(f"CLUSTERMGR_KVM_LAB={layout.root}\nCLUSTERMGR_KVM_LAB_JSON={layout.description}")
        case "sshd":
            authorized = arguments.authorized.read_text().splitlines()
            print("\n".join(doors.ssh_start(layout, arguments.node, authorized)))
        case "tls":
            doors.tls_start(layout, arguments.node, arguments.folder)
        case "exec":
            become(nodes.inside(layout, arguments.node, arguments.command))
        case "mgmt":
            become(["nsenter", "-t", str(network.switch_pid(layout)), "-n", *arguments.command])
        case verb:
            node_verb(layout, verb, arguments.node)


def become(words: list[str]) -> None:
    sys.stdout.flush()
    os.execvp(words[0], words)


def main() -> int:
    try:
        command(find(), parser().parse_args())
    except LabError as lack:
        print(lack, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
