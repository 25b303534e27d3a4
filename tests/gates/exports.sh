#!/usr/bin/env bash
# libpredicomp.so exports what libpredicomp.map lists, needs libc alone, and is bound and pinned.
set -euo pipefail
. "$(dirname "$0")/gate.bash"

library=$build_dir/libpredicomp.so
map=$source_dir/preload/libpredicomp.map
need "$library"
need "$map"

listed=$(perl -0777 -ne 's{/\*.*?\*/|\#[^\n]*}{}gs;
	while (/global:(.*?)(?:local:|\})/gs) { print "$_\n" for grep /\S/, split /[;\s]+/, $1 }' \
	"$map" | sort)
exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort)
dynamic=$(readelf -dW "$library")
segments=$(readelf -lW "$library")

fail 'exported, but not in libpredicomp.map' < <(comm -13 <(echo "$listed") <(echo "$exported"))
fail 'in libpredicomp.map, but not exported' < <(comm -23 <(echo "$listed") <(echo "$exported"))
fail 'listed twice in libpredicomp.map' < <(echo "$listed" | uniq -d)
fail 'needs another library than libc' < <(
	echo "$dynamic" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vx 'libc\.so\.6')
fail 'not linked with -z' < <(for flag in NOW NODELETE INITFIRST; do
	echo "$dynamic" | grep -E '\(FLAGS(_1)?\)' | grep -qw "$flag" || echo "${flag,,}"
done)
fail 'has relocations in its code' < <(echo "$dynamic" | grep TEXTREL)
fail 'is not read-only after start' < <(echo "$segments" | grep -q GNU_RELRO || echo no GNU_RELRO)
fail 'has an executable stack' < <(echo "$segments" | awk '/GNU_STACK/ && /RWE/')
finish
