#!/usr/bin/env bash
# gcc compiles a large file and one of its own kind of source: same assembly, to the byte.
. "$(dirname "$0")/real.bash" "$@"
needs gcc
for i in $(seq 1500); do
	echo "int f$i(int a, int b) { int s = $i; for (int k = 0; k < a; k++) s += (k ^ b) * $i; return s; }"
done >"$scratch/large.c"
{ cat "$scratch/large.c"; echo 'int bad('; } >"$scratch/bad.c"
cd "$scratch" || exit 1
# How much of a compiler's memory gets cold is its affair; that it was managed is asked of python.
same 0 gcc -O2 -S -o - large.c
same 0 gcc -O2 -c -o /dev/null bad.c
