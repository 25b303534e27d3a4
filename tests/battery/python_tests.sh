#!/usr/bin/env bash
# python3's own tests of memory, threads, processes and signals: each ends under the library as it does
# without it. PYTHON_MODULES names others, "long" all that are worth it.
. "$(dirname "$0")/../real/real.bash" "$@"
python=/usr/bin/python3
needs "$python"
"$python" -c 'import test.test_mmap' 2>/dev/null ||
	skip "python3's own tests are missing: apt-get install lib$(basename "$(readlink -f "$python")")-testsuite"
modules=${PYTHON_MODULES:-test_mmap test_array test_bytes test_memoryview test_thread test_gc
	test_fork1 test_threading}
[ "$modules" != long ] || modules='test_mmap test_array test_bytes test_memoryview test_thread test_gc
	test_fork1 test_threading test_buffer test_signal test_subprocess test_io test_list test_dict
	test_queue test_sched test_posix test_multiprocessing_fork'
cat >"$scratch/outcomes.py" <<'PY'
"""outcomes.py FILE MODULE...: runs tests; FILE gets a line for each, with how it ended."""
import os, sys, time, unittest

class Outcomes(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.lines = []
    def note(self, test, how):
        self.lines.append(f"{test.id()} {how}\n")
    def addSuccess(self, test): self.note(test, "ok")
    def addFailure(self, test, err): self.note(test, "failed"); self.tell(test, err)
    def addError(self, test, err): self.note(test, "error"); self.tell(test, err)
    def addSkip(self, test, why): self.note(test, "skipped")
    def addExpectedFailure(self, test, err): self.note(test, "failed as expected")
    def addUnexpectedSuccess(self, test): self.note(test, "ok unexpectedly")
    def tell(self, test, err): print(test.id(), self._exc_info_to_string(err, test), file=sys.stderr)

# Something to pack while they run.
ballast = {i: f"value {i} of the ballast" for i in range(100000)}
time.sleep(0.5)
outcomes = Outcomes()
for module in sys.argv[2:]:
    unittest.defaultTestLoader.loadTestsFromName("test." + module).run(outcomes)
assert all(v == f"value {i} of the ballast" for i, v in ballast.items())
with open(sys.argv[1], "w") as f:
    f.writelines(sorted(outcomes.lines))
PY
mkdir "$scratch/cwd"
cd "$scratch/cwd" || fail 'there is no room'
for way in plain shim; do
	run=()
	[ $way = plain ] || run=(under_library)
	# shellcheck disable=SC2086
	"${run[@]}" "$python" "$scratch/outcomes.py" "$scratch/$way" $modules \
		>"$scratch/$way.out" 2>"$scratch/$way.err" </dev/null ||
		{ tail -n 30 "$scratch/$way.err"; fail "the tests end with $? ($way)"; }
done
! grep 'predicomp\[' "$scratch/shim.err" || fail 'makes the library complain'
if ! diff "$scratch/plain" "$scratch/shim"; then
	tail -n 40 "$scratch/shim.err"
	fail 'tests end otherwise under the library'
fi
echo "$(grep -c ' ok$' "$scratch/shim") tests of $(wc -w <<<"$modules") modules passed both times," \
	"$(grep -vc ' ok$' "$scratch/shim") ended in another way, the same one both times"
[ "$(sum verify_failed)$(sum restore_failed)" = 00 ] || fail 'a page failed its check'
[ "$(sum pages_evicted)" -ge 1000 ] || fail "only $(sum pages_evicted) pages were packed"
