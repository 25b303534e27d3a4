#!/usr/bin/env bash
# Every #include between rooms runs along the arrows of the house; kernel/ and state/ never meet.
set -euo pipefail
. "$(dirname "$0")/gate.bash"
cd "$source_dir"

# Rooms that a room's files may include, itself aside. "contracts" is include/predicomp.
declare -A may=(
	[contracts]=''           [base]='contracts'       [kernel]='base contracts'
	[state]='base contracts' [report]='base contracts'
	[flow]='kernel state base contracts'
	[pager]='flow kernel state base contracts'
	[preload]='pager report base contracts'
	[tools]='report base contracts'
	[bpf]='contracts'        [bench]='contracts'
)

room_of() {
	case $1 in
	include/* | predicomp/*) echo contracts ;;
	pagerd/*/* | base/* | kernel/* | state/* | flow/* | report/*) f=${1#pagerd/}; echo "${f%%/*}" ;;
	pagerd/*) echo pager ;;
	*/*) echo "${1%%/*}" ;;
	esac
}

# A bare name is a neighbour of its includer, or one of the facade's headers.
path_of() {
	local beside
	beside=$(dirname "$2")/$1
	case $1 in
	*/*) echo "$1" ;;
	*) if [ -e "$beside" ]; then echo "$beside"; else echo "pagerd/$1"; fi ;;
	esac
}

edges=$(grep -rnE --include='*.[ch]' --include='*.def' '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' \
	include pagerd preload tools bpf bench/host)
fail 'an #include runs against the arrows' < <(while IFS=: read -r file line text; do
	header=${text#*\"}
	header=${header%%\"*}
	from=$(room_of "$file")
	to=$(room_of "$(path_of "$header" "$file")")
	[[ " $from ${may[$from]} " == *" $to "* ]] ||
		echo "$file:$line includes $header: $from may not see $to"
done <<<"$edges")
finish
