#!/usr/bin/env bash
# measured.sh LIBRARY: the bench knows what a program used, also of one that has ended before it is asked
# to, and of one that is killed.
. "$(dirname "$0")/real.bash" "$@"
PYTHONPATH=$(cd "$(dirname "$0")/../../bench" && pwd) /usr/bin/python3 - <<'END' || fail 'the usage of a program is lost'
import os, time
from types import SimpleNamespace
from lib.program import NONE, Program

session = SimpleNamespace(cgroup=None, environment=lambda shim, options: dict(os.environ))

def state_of(pid):
    with open('/proc/%d/stat' % pid, encoding='ascii') as f:
        return f.read().rsplit(')', 1)[1].split()[0]

with Program(session, NONE, ['/bin/true']) as program:
    while state_of(program.pid) != 'Z':
        time.sleep(0.01)
    figures = program.finish()
    assert figures['cpu_s'] >= 0 and figures['elapsed_s'] > 0, figures

with Program(session, NONE, ['/bin/sleep', '60']) as program:
    program.halt()
    program.resume()
assert program.process.returncode == -9 and program.usage is not None
END
