"""`python -m clustermgr.cli.install`: puts the command clusterctl beside the interpreter that runs this."""

from __future__ import annotations

import sys
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
SCRIPT = """#!{python}
import sys

sys.path.insert(0, {home!r})
from clustermgr.cli.main import main

sys.exit(main(sys.argv[1:]))
"""


def install(beside: Path) -> Path:
    script = beside.parent / "clusterctl"
    text = SCRIPT.format(python=beside, home=str(HOME))
    if not script.exists() or script.read_text() != text:
        script.write_text(text)
        script.chmod(0o755)
    return script


if __name__ == "__main__":
    install(Path(sys.executable))
