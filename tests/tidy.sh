#!/usr/bin/env bash
# clang-tidy over every source of the product, with the checks of .clang-tidy.
set -euo pipefail

source_dir=${TEST_SOURCE:-$(cd "$(dirname "$0")/.." && pwd)}
build_dir=${TEST_BUILD:-$source_dir/build}
if ! command -v clang-tidy >/dev/null; then
	echo 'SKIP: clang-tidy is missing: apt-get install clang-tidy'
	exit 77
fi
commands=$build_dir/compile_commands.json
[ -s "$commands" ] || { echo "$commands is missing: configure first"; exit 1; }

# What gcc was told and clang does not know would be an error of its own.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed 's/ -fno-tree-loop-distribute-patterns//' "$commands" >"$work/compile_commands.json"

cd "$source_dir"
status=0

# sources FOLDER...: each ended by a zero. A benchmark is left out of the build, and here, where the
# library that only it needs is missing.
sources() {
	local file
	while IFS= read -r file; do
		if [[ $file != bench/* ]] || grep -qF "\"$source_dir/$file\"" "$commands"; then
			printf '%s\0' "$file"
		else
			echo "not built, so not read: $file" >&2
		fi
	done < <(find "$@" -name '*.c' ! -name '*.bpf.c')
}

# tidy FOLDER... -- ARGUMENT...: one file a run: with several, clang-tidy 14 takes every va_list of the
# later ones for uninitialized.
tidy() {
	local folders=()
	while [ "$1" != -- ]; do
		folders+=("$1")
		shift
	done
	shift
	sources "${folders[@]}" |
		xargs -0 -n 1 -P "$(nproc)" clang-tidy -p "$work" --quiet --warnings-as-errors='*' "$@" \
			>>"$work/said" 2>>"$work/noise" || status=1
}
tidy pagerd preload tools bench --
# What bpftool writes leaks when memory is short; it is not ours to mend.
[ ! -d "$build_dir/bpf" ] || tidy bpf -- --checks=-clang-analyzer-unix.Malloc
cat "$work/said"
grep -E '^(error|Error)' "$work/noise" || true
exit $status
