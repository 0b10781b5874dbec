"""The supervisor over real, tiny processes: output, restarts, and an end that leaves nothing behind."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path

from clustermgr.supervisor.log import Log
from tests.setup.conftest import gone, wait_until

WAITS = "signal.pause()"
STUBBORN = (
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\nwhile True: signal.pause()"
)
TELLS_ITS_END = """
def end(*_):
    print('ending', flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print('listening', flush=True)
signal.pause()
"""
HAS_A_CHILD = """
child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])
print('grandchild', child.pid, flush=True)
signal.pause()
"""


def test_every_line_has_the_name_of_its_process(supervise):
    one = supervise(web="print('hello\\nthere', flush=True); sys.stderr.write('no end of line')")
    wait_until(lambda: one.said("web ended with status 0"))
    said = [line.split(" ", 1)[1] for line in one.said("web        | ")][1:4]
    assert said == ["web        | hello", "web        | there", "web        | no end of line"]


def test_a_crashed_child_is_started_again_after_half_a_second(supervise):
    one = supervise(web=WAITS, worker=WAITS)
    first = one.pid_of("worker")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: one.pid_of("worker") != first)
    assert one.said("worker was killed by signal 9; it starts again in 0.5 s.")
    assert not one.said("web was killed")


def test_a_child_that_keeps_crashing_is_started_ever_more_slowly(supervise):
    one = supervise(web="sys.exit(3)")
    wait_until(lambda: one.said("web ended with status 3; it starts again in 2 s."))
    assert one.said("web ended with status 3; it starts again in 0.5 s.")
    assert one.said("web ended with status 3; it starts again in 1 s.")


def test_ctrl_c_ends_all_in_order_and_within_five_seconds(supervise):
    names = ("redis", "web", "worker", "watch", "beat")
    one = supervise(**dict.fromkeys(names, TELLS_ITS_END))
    wait_until(lambda: len(one.said("listening")) == len(names))
    assert one.end(signal.SIGINT) < 5
    assert one.process.returncode == 0
    endings = [line.split()[1] for line in one.said("ending")]
    assert set(endings[:3]) == {"beat", "watch", "worker"}
    assert endings[3:] == ["web", "redis"]


def test_a_child_that_does_not_listen_is_killed(supervise):
    one = supervise(web=STUBBORN, worker=STUBBORN)
    wait_until(lambda: len(one.said("deaf")) == 2)
    pids = [one.pid_of("web"), one.pid_of("worker")]
    assert one.end(signal.SIGTERM) < 5
    assert all(gone(pid) for pid in pids)


def test_a_killed_supervisor_leaves_no_orphan(supervise):
    one = supervise(web=WAITS, worker=STUBBORN)
    wait_until(lambda: one.said("deaf"))
    pids = [one.pid_of("web"), one.pid_of("worker")]
    one.end(signal.SIGKILL)
    wait_until(lambda: all(gone(pid) for pid in pids), seconds=5)


def test_what_a_child_started_ends_with_it(supervise):
    one = supervise(web=HAS_A_CHILD)
    wait_until(lambda: one.said("grandchild"))
    grandchild = int(one.said("grandchild")[0].rsplit(" ", 1)[1])
    os.kill(one.pid_of("web"), signal.SIGKILL)
    wait_until(lambda: gone(grandchild), seconds=5)


def test_the_log_goes_on_when_the_terminal_goes_away(supervise):
    one = supervise(
        web="import time\nfor n in range(40): print('line', n, flush=True); time.sleep(0.05)\nsignal.pause()"
    )
    wait_until(lambda: one.said("line 1"))
    one.process.stdout.close()
    wait_until(lambda: one.said("line 39"))


def test_a_full_disk_costs_lines_and_not_the_processes():
    shown = io.StringIO()
    log = Log(Path("/dev/full"), shown)
    log.say("one")
    log.say("two")
    log.close()
    assert shown.getvalue().splitlines() == ["clustermgr | one", "clustermgr | two"]
