"""Not a test: runs the keeper over the children given on standard input as {name: Python source}."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from clustermgr.ports import RealClock
from clustermgr.supervisor.keeper import Keeper
from clustermgr.supervisor.log import Log
from clustermgr.supervisor.processes import Process

FIRST = "import os, signal, subprocess, sys, threading\nprint('pid', os.getpid(), flush=True)\n"

log = Log(Path(sys.argv[1]))
keeper = Keeper(environment=os.environ, folder=os.getcwd(), log=log, clock=RealClock())
children = json.load(sys.stdin)
keeper.start(*(Process(name, ("-c", FIRST + source), grace=0.5) for name, source in children.items()))
log.say("up")
keeper.run()
keeper.stop()
keeper.close()
