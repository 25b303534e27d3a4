#!/usr/bin/env bash
# UFFDIO_MOVE as this kernel does it: a program that does everything at random with its memory, and one
# that forks in every way, find each byte as it was.
. "$(dirname "$0")/lab.bash"

case $(uname -r) in 6.1.*) skip "Linux $(uname -r) cannot move pages" ;; esac

# packs VARIABLE=VALUE... HOST: right, and packed at COLD_AGE=0
packs() {
	env "${@:1:$#-1}" "$source_dir/tests/live/drive" "$build/tests/${!#}" "$library" || fail "${!#}"
}

packs HOST_AGES=0 battery/model
packs HOST_AGES=0 HOST_FORKS=60 live/fork_matrix
exit $lab_failed
