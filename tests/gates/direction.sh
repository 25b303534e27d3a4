#!/usr/bin/env bash
# Every #include between rooms runs along the arrows of the house; kernel/ and state/ never meet.
set -euo pipefail
. "$(dirname "$0")/gate.bash"
cd "$source_dir"

# Rooms whose headers a room's files may include, besides its own. "contracts" is include/predicomp.
declare -A may=(
	[contracts]='' [base]='contracts' [kernel]='base contracts' [state]='base contracts'
	[report]='base contracts' [flow]='kernel state base contracts'
	[pager]='flow kernel state base contracts' [preload]='pager report base contracts'
	[tools]='bpf report state base contracts' [bpf]='contracts' [bench]='contracts'
)

room_of() {
	case $1 in
	include/* | predicomp/*) echo contracts ;;
	pagerd/*/* | base/* | kernel/* | state/* | flow/* | report/*) f=${1#pagerd/}; echo "${f%%/*}" ;;
	pagerd/*) echo pager ;;
	*) echo "${1%%/*}" ;;
	esac
}

# A room that is not built yet is no fault.
rooms=()
for room in include pagerd preload tools bpf bench/host; do
	[ ! -d "$room" ] || rooms+=("$room")
done
edges=$(grep -rnE --include='*.[ch]' --include='*.def' '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' \
	"${rooms[@]}")
fail 'an #include runs against the arrows' < <(while IFS=: read -r file line text; do
	header=${text#*\"}
	header=${header%%\"*}
	[[ $header != *.skel.h && $header != *.html.h ]] || continue # made from what is beside it
	beside=$(dirname "$file")/$header
	[[ $header == */* ]] || header=$([ -e "$beside" ] && echo "$beside" || echo "pagerd/$header")
	from=$(room_of "$file") to=$(room_of "$header")
	[[ " $from ${may[$from]} " == *" $to "* ]] ||
		echo "$file:$line includes $header: $from may not see $to"
done <<<"$edges")
finish
