#!/usr/bin/env bash
# Where the kernel counts every page that could be written (vm.overcommit_memory is 2), what the library would
# reserve would be missing to others: programs run as if nothing were loaded, and one line says why.
. "$(dirname "$0")/lab.bash"

before=$(cat /proc/sys/vm/overcommit_memory) ratio=$(cat /proc/sys/vm/overcommit_ratio)
restore() {
	echo "$before" >/proc/sys/vm/overcommit_memory
	echo "$ratio" >/proc/sys/vm/overcommit_ratio
	rm -rf "$scratch"
}
trap restore EXIT
echo 95 >/proc/sys/vm/overcommit_ratio
echo 2 >/proc/sys/vm/overcommit_memory

inert_programs 'vm.overcommit_memory is 2'
