"""Completion of words in a shell: nouns, verbs, options, and names that the console knows now."""

from __future__ import annotations

import shlex
from argparse import Namespace
from collections.abc import Iterable, Sequence
from contextlib import suppress

from clustermgr.cli.client import Client, Refused
from clustermgr.cli.place import Unplaced, find
from clustermgr.cli.session import Session, WrongWords
from clustermgr.cli.table import Option, Verb

# Names may hold spaces and what a shell would expand. Within quotes the shell itself says where a word ends.
_BASH = r"""_clusterctl() {
  local word
  COMPREPLY=()
  while IFS= read -r word; do
    case "${COMP_WORDS[COMP_CWORD]}" in
      [\"\']*) COMPREPLY+=("$word") ;;
      *) COMPREPLY+=("$(printf %q "$word")") ;;
    esac
  done < <(clusterctl __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _clusterctl clusterctl"""
SCRIPTS = {
    "bash": _BASH,
    "zsh": f"autoload -U +X bashcompinit && bashcompinit\n{_BASH}",
    "fish": "complete -c clusterctl -f -a "
    "'(clusterctl __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'",
}
PATIENCE_S = 3.0


def complete(words: Sequence[str], verbs: Sequence[Verb]) -> list[str]:
    """What may stand in place of the last word. Shells hand words on as typed, with their quotes."""
    words = [_meant(word) for word in words] or [""]
    before, typed = words[:-1], words[-1]
    return sorted({each for each in _possible(before, typed, verbs) if each.startswith(typed)})


def _meant(word: str) -> str:
    """Without the shell's quotes, of which the last may not be closed yet."""
    for end in ("", "'", '"'):
        with suppress(ValueError):
            return "".join(shlex.split(word + end))
    return word


def _possible(before: list[str], typed: str, verbs: Sequence[Verb]) -> Iterable[str]:
    if not before:
        return [*(verb.noun for verb in verbs), "completion"]
    if before == ["completion"]:
        return SCRIPTS
    if len(before) == 1:
        return [verb.name for verb in verbs if verb.noun == before[0]]
    verb = next((each for each in verbs if [each.noun, each.name] == before[:2]), None)
    if verb is None:
        return []
    flags = {each.flag: each for each in verb.options if each.flag.startswith("-")}
    waited = flags.get(before[-1])
    if waited is not None and not _is_switch(waited):
        return _values(waited, before)
    if before[-1] == "--cluster":
        return _names("cluster", before)
    if typed.startswith("-"):
        more = ["--json", *(["--wait"] if verb.waits else []), *(["--cluster"] if verb.in_cluster else [])]
        return [*flags, *more]
    places = [each for each in verb.options if not each.flag.startswith("-")]
    taken = len([word for word in before[2:] if not word.startswith("-")])
    return _values(places[taken], before) if taken < len(places) else []


def _is_switch(option: Option) -> bool:
    return dict(option.more).get("action") == "store_true"


def _values(option: Option, before: list[str]) -> Iterable[str]:
    return dict(option.more).get("choices") or _names(option.names, before)


def _names(what: str, before: list[str]) -> list[str]:
    """Names from the console; without it there are none."""
    if not what:
        return []
    cluster = before[before.index("--cluster") + 1] if "--cluster" in before[:-1] else ""
    try:
        call = Session(Namespace(cluster=cluster, limit=1000), Client(find(), PATIENCE_S))
        if what == "cluster":
            return [row["slug"] for row in call.client.get("/clusters")]
        rows = call.all("vms") if what == "vm" else call.get("nodes")
        return [str(row["name"]) for row in rows]
    except (Refused, Unplaced, WrongWords):
        return []
