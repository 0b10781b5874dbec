"""`make bench`: measure every section in a process of its own, print a table, keep var/bench.json.

    python -m tests.bench [ONLY] [--nodes N] [--vms N]      ONLY: names of sections, with commas

It reports and never fails because something is slow; a section that breaks or takes too long is named."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import figures, machine, processes, scale
from tests.bench.figures import Figure

#: Sections in their order, each with the seconds after which it is ended.
SECTIONS = {
    "pages": 240,
    "browser": 150,
    "sweep": 120,
    "engine": 60,
    "push": 180,
    "idle": 240,
    "moves": 400,
}
#: Seconds for all of them together (on a quiet machine they take ten minutes), and the least for one.
ALL_S, LEAST_S = 870, 20
KEPT = scale.ROOT / "var" / "bench.json"


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: what was started is ended
    sections = [name for name in options.only.split(",") if name] or list(SECTIONS)
    if unknown := set(sections) - SECTIONS.keys():
        names = ", ".join(SECTIONS)
        print(
            f"There is no section called {', '.join(sorted(unknown))}. There are: {names}.", file=sys.stderr
        )
        return 2
    for name, text in machine.described().items():
        print(f"{name:<15} {text}")
    if busy := machine.warning():
        print(f"\n{busy}")
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        found = measure(sections, Path(place), options)
    print(f"\n{figures.shown(found)}")
    figures.keep(Path(options.out), found)
    print(f"\nkept in {options.out}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("only", nargs="?", default="", help=f"of {', '.join(SECTIONS)}; with commas")
    parser.add_argument("--nodes", type=int, default=64)
    parser.add_argument("--vms", type=int, default=8000)
    parser.add_argument("--out", default=str(KEPT))
    parser.add_argument(
        "--quick", action="store_true", help="look at everything once: does it still measure?"
    )
    return parser.parse_args()


def measure(sections: list[str], place: Path, options: argparse.Namespace) -> list[Figure]:
    seed = place / "seed"
    if set(sections) - {"moves"}:
        print(f"\nmaking {options.nodes} nodes with {options.vms} VMs …", flush=True)
        scale.seed(seed, options.nodes, options.vms)
    found: list[Figure] = []
    until = time.monotonic() + ALL_S
    for section in sections:
        print(f"measuring {section} …", flush=True)
        began = time.monotonic()
        trouble = _section(section, seed, place, until, *(["quick"] if options.quick else []))
        measured = figures.read(place / f"{section}.jsonl")
        if trouble:
            command = f"make bench ONLY={section}"
            measured.append(Figure(section, None, "", command=command, note=trouble))
        print(f"   {time.monotonic() - began:.0f} s {trouble}".rstrip(), flush=True)
        found += measured
    return found


def _section(section: str, seed: Path, place: Path, until: float, *more: str) -> str:
    """Empty when it went well, else what was wrong. What it started is ended either way."""
    seconds = min(SECTIONS[section], until - time.monotonic())
    if seconds < LEAST_S:
        return "no time was left for it"
    words = [seed, place / section, place / f"{section}.jsonl"]
    command = [sys.executable, "-m", "tests.bench.one", section, *map(str, words), *more]
    with subprocess.Popen(command, cwd=scale.ROOT, start_new_session=True) as process:
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            return f"ended after {seconds:.0f} s"
        except BaseException:
            _end(process)
            raise
    return "" if code == 0 else f"ended with status {code}; the lines above say why"


def _end(process: subprocess.Popen[bytes]) -> None:
    """First as Ctrl-C, so that it takes its own down; then whatever is left of what it started."""
    started = processes.family(process.pid)
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(30)
    for pid in started:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    sys.exit(main())
