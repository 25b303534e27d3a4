# shellcheck shell=bash
# Sourced by tests/run, tools/demo and tools/lab: what the machine must have, got or named.

# package_of COMMAND-OR-FILE: the Debian package that brings it
package_of() {
	case $1 in
	gcc) echo gcc libc6-dev ;;
	clang) echo clang libclang-rt-dev ;;
	cmake | make | pkg-config | clang-tidy | redis-server | sqlite3 | perl | python3 | binutils) echo "$1" ;;
	node) echo nodejs ;;
	pg_ctlcluster) echo postgresql ;;
	*/test/test_mmap.py) echo "lib$(basename "$(dirname "$(dirname "$1")")")-testsuite" ;;
	nm | readelf) echo binutils ;;
	qemu-system-x86_64) echo qemu-system-x86 ;;
	depmod) echo kmod ;;
	mke2fs) echo e2fsprogs ;;
	xz) echo xz-utils ;;
	*/lz4.h) echo liblz4-dev ;;
	*/json.h) echo libjson-c-dev ;;
	*/zstd.h) echo libzstd-dev ;;
	*/cmocka.h) echo libcmocka-dev ;;
	llvm-strip) echo llvm ;;
	*/bpf/libbpf.h) echo libbpf-dev libelf-dev ;;
	*/gelf.h) echo libelf-dev ;;
	*) echo "$1" ;;
	esac
}

present() {
	case $1 in
	/*) [ -e "$1" ] ;;
	*) command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] ;;
	esac
}

# missing_packages THING...: the packages of those that are not there
missing_packages() {
	local thing
	for thing in "$@"; do
		present "$thing" || package_of "$thing"
	done | tr ' ' '\n' | sort -u | tr '\n' ' ' | sed 's/ $//'
}

# want_packages THING...: installs what is missing when root on a Debian, and says so. 0 when all is
# there afterwards; otherwise 1, with the command to run on standard error.
want_packages() {
	local missing
	missing=$(missing_packages "$@")
	[ -z "$missing" ] && return 0
	if [ "$(id -u)" != 0 ] || ! present apt-get; then
		echo "missing: $missing" >&2
		echo "run as root: apt-get install $missing" >&2
		return 1
	fi
	echo "installing with apt-get: $missing"
	# shellcheck disable=SC2086
	if ! { DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing ||
		{ apt-get update &&
			DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; }; } \
		>"${TMPDIR:-/tmp}/predicomp-apt.$$.log" 2>&1; then
		tail -n 5 "${TMPDIR:-/tmp}/predicomp-apt.$$.log" >&2
		echo "apt-get failed; its output is in ${TMPDIR:-/tmp}/predicomp-apt.$$.log" >&2
		return 1
	fi
	rm -f "${TMPDIR:-/tmp}/predicomp-apt.$$.log"
	missing=$(missing_packages "$@")
	[ -z "$missing" ] && return 0
	echo "still missing after apt-get: $missing" >&2
	return 1
}

# What configuring and building asks for, tests included.
# shellcheck disable=SC2034
to_build="gcc cmake make pkg-config /usr/include/lz4.h /usr/include/json-c/json.h /usr/include/gelf.h /usr/include/cmocka.h clang llvm-strip bpftool /usr/include/bpf/libbpf.h"
