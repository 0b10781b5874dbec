"""Measures one section in a process of its own: `python -m tests.bench.one pages SEED FOLDER OUT`."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from tests.bench import figures


def main() -> None:
    section, seed, folder, out = sys.argv[1:]
    measured = import_module(f"tests.bench.{section}").measure(Path(seed), Path(folder))
    for figure in measured:
        figures.append(Path(out), replace(figure, command=f"make bench ONLY={section}"))


if __name__ == "__main__":
    main()
