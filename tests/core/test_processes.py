"""A child ends with its parent, also where the parent is killed and the child is deep in C code."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

posix = pytest.mark.skipif(os.name != "posix", reason="kills and pipes of POSIX")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's help is Linux's")

# Each child keeps the write end of a pipe open as its standard output: the pipe's end tells that all have ended.
IN_C = "sum(range(10**14))"  # keeps the interpreter's lock
ASLEEP = "import time; time.sleep(600)"
CHILD = (
    "import sys; from mmwave_gym.core import processes as p; parent = int(sys.argv[1]); "
    "{call}; print('up', flush=True); {work}"
)
PARENT = "import os, subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}, {pid}]).wait()"
SPAWNED = """
import multiprocessing
from mmwave_gym.core.processes import end_with_parent
def work():
    end_with_parent(); print('up', flush=True); sum(range(10**14))
if __name__ == '__main__':
    multiprocessing.get_context('spawn').Process(target=work).start()
    import time; time.sleep(600)
"""


def ends(words: list[str], how: signal.Signals) -> bool:
    """Start a parent, wait for its child, end the parent: is the child gone within five seconds?"""
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        parent.send_signal(how)
        parent.wait()
        ready, _, _ = select.select([parent.stdout], [], [], 5)
        return bool(ready) and parent.stdout.read() == b""


def parent(call: str, work: str, pid: str = "str(os.getpid())") -> list[str]:
    return ["-c", PARENT.format(child=CHILD.format(call=call, work=work), pid=pid)]


@linux
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_in_c_code_ends_with_its_parent(how):
    assert ends(parent("p.end_with_parent(parent)", IN_C), how)


@posix
def test_without_the_kernels_help_a_thread_ends_it():
    assert ends(parent("p.watch_parent(parent)", ASLEEP), signal.SIGKILL)


@linux
def test_a_process_of_multiprocessing_ends_with_its_parent(tmp_path: Path):
    script = tmp_path / "parent.py"
    script.write_text(SPAWNED)
    assert ends([str(script)], signal.SIGKILL)


@posix
def test_a_parent_that_has_ended_already_is_noticed():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    call = CHILD.format(call="p.end_with_parent(parent)", work=ASLEEP)
    child = subprocess.run([sys.executable, "-c", call, str(gone.pid)], stdout=subprocess.PIPE, timeout=30)
    assert child.returncode == 1
    assert child.stdout == b""
