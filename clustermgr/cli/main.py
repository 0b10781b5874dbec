"""clusterctl: reads words and gives them to their verb. Ends with 0 done, 1 refused or failed, 2 wrong."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from clustermgr.cli import hosts, management, others, show, vm
from clustermgr.cli.client import Client, Refused
from clustermgr.cli.completion import SCRIPTS, complete
from clustermgr.cli.place import Unplaced, find
from clustermgr.cli.session import Session, WrongWords
from clustermgr.cli.table import Verb

VERBS: tuple[Verb, ...] = (*vm.VERBS, *hosts.VERBS, *others.VERBS, *management.VERBS)
NOUNS = {
    "vm": "virtual machines",
    "node": "nodes",
    "operation": "what was ordered",
    "event": "what happened",
    "cluster": "clusters, volumes, networks, the audit",
    "token": "tokens of the API",
}
DONE, FAILED, WRONG = 0, 1, 2


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="clusterctl",
        description="Works a cluster through the console's API. Exit status: 0 done, 1 refused or failed, "
        "2 wrong words.",
        epilog="CLUSTERCTL_URL and CLUSTERCTL_TOKEN name another console, CLUSTERCTL_CLUSTER the cluster.",
    )
    nouns = root.add_subparsers(dest="noun", metavar="NOUN", required=True)
    for noun, what in NOUNS.items():
        names = nouns.add_parser(noun, help=what).add_subparsers(dest="verb", metavar="VERB", required=True)
        for verb in VERBS:
            if verb.noun == noun:
                _add(names.add_parser(verb.name, help=verb.help, description=verb.help), verb)
    shell = nouns.add_parser(
        "completion", help="a script for your shell: source <(clusterctl completion bash)"
    )
    shell.add_argument("shell", choices=SCRIPTS)
    return root


def _add(words: argparse.ArgumentParser, verb: Verb) -> None:
    for option in verb.options:
        words.add_argument(option.flag, help=option.help, **dict(option.more))
    words.add_argument("--json", action="store_true", help="print JSON")
    if verb.waits:
        words.add_argument("--wait", action="store_true", help="until it has ended")
    if verb.in_cluster:
        words.add_argument("--cluster", metavar="NAME", help="which one, when there are several")
    words.set_defaults(run=verb.run)


def main(words: Sequence[str]) -> int:
    if list(words[:1]) == ["__complete"]:
        sys.stdout.writelines(f"{each}\n" for each in complete(words[1:], VERBS))
        return DONE
    try:
        args = parser().parse_args(words)
    except SystemExit as end:
        return WRONG if end.code else DONE
    if args.noun == "completion":
        print(SCRIPTS[args.shell])
        return DONE
    try:
        return _run(args)
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        print("\nInterrupted; what was ordered goes on.", file=sys.stderr)
        return 130


def _run(args: argparse.Namespace) -> int:
    try:
        return args.run(Session(args, Client(find()))) or DONE
    except WrongWords as error:
        print(error, file=sys.stderr)
        return WRONG
    except Unplaced as error:
        print(error, file=sys.stderr)
        return FAILED
    except Refused as refusal:
        for sentence in refusal.sentences:
            print(show.plain(sentence), file=sys.stderr)
        problem = refusal.problem or {}
        if problem.get("operation"):
            print(f"See: clusterctl operation show {problem['operation']}", file=sys.stderr)
        if args.json and problem:
            show.as_json(problem)
        return FAILED
