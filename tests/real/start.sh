#!/usr/bin/env bash
# start.sh LIBRARY: under strace, where every page is counted, without /proc and beside what a sanitizer
# defines a program runs as ever, and one line a process says why it is left alone. One with less memory
# than MIN_RSS has no pager, and keeps what it has. One that runs with more rights than its user has is left
# alone without a word, and no option of that user's is heeded: also where the loader, which preloads for
# it only what the administrator has put beside libc, has been told to.
. "$(dirname "$0")/real.bash" "$@"
needs unshare mount
[ "$(id -u)" = 0 ] || skip 'only root can make such conditions'
unshare --mount true 2>/dev/null || skip 'no mount namespace is to be had'
host=$build/tests/live/start

# odd COMMAND...: the host's life, by COMMAND; under the library that talks
odd() {
	env LD_PRELOAD="$library" PREDICOMP_COLD_AGE=0 PREDICOMP_MIN_RSS=0 PREDICOMP_LOG=info \
		PREDICOMP_CSV="$scratch/csv" HOST_PATIENCE_MS=1000 "$@" 100>/dev/null 2>"$scratch/said"
}

# left_alone WHAT WHY COMMAND...
left_alone() {
	local what=$1 why=$2
	shift 2
	odd "$@"
	[ $? = 7 ] || fail "$what it does not end as ever: $(cat "$scratch/said")"
	[ "$(grep -c "not managed: $why" "$scratch/said")" -ge 1 ] ||
		fail "$what nobody says '$why': $(cat "$scratch/said")"
	[ "$(grep 'not managed' "$scratch/said" | sort | uniq -d | wc -l)" = 0 ] ||
		fail "$what a process says it twice: $(cat "$scratch/said")"
	echo "$what: $(grep -h -m 1 -o 'not managed.*' "$scratch/said")"
}

mounted() {
	echo "mount --make-rprivate / && $1 && exec $host odd"
}

echo 2 >"$scratch/two"
left_alone 'every page counted' 'vm.overcommit_memory is 2' unshare --mount \
	env -u LD_PRELOAD sh -c "$(mounted "mount --bind '$scratch/two' /proc/sys/vm/overcommit_memory &&
		export LD_PRELOAD='$library'")"
left_alone 'without /proc' 'the kernel or this user lacks something' unshare --mount \
	env -u LD_PRELOAD sh -c "$(mounted "umount -l /proc && export LD_PRELOAD='$library'")"
if command -v strace >/dev/null; then
	left_alone 'under strace' 'a debugger or tracer is attached' env -u LD_PRELOAD \
		strace -f -o "$scratch/strace" -E LD_PRELOAD="$library" "$host" odd
else
	echo 'strace is missing: not tried'
fi
for runtime in asan hwasan lsan msan tsan; do
	left_alone "beside what $runtime defines" 'the program carries a sanitizer' \
		env LD_PRELOAD="$library $build/tests/real/$runtime.so" "$host" odd
done

rm -f "$scratch/csv"
odd env PREDICOMP_MIN_RSS=1G HOST_PATIENCE_MS=10000 "$host" odd
[ $? = 7 ] || fail "with little memory it does not end as ever: $(cat "$scratch/said")"
[ "$(sum forks)" -ge 1 ] || fail 'with little memory nothing is counted: this shows nothing'
[ "$(sum pages_evicted)$(sum pagers_waiting)" = 00 ] || fail 'a program with little memory is managed'
echo 'with little memory: not managed'

# secure COMMAND...: what a program says that is nobody's and runs as nobody
secure() {
	rm -f "$scratch/csv"
	chmod 0777 "$scratch"
	odd "$@" >"$scratch/out" || fail "with raised rights it ends with $?: $(cat "$scratch/said")"
	[ "$(grep '^Threads:' "$scratch/out" | tr -dc 0-9)" = 1 ] || fail 'with raised rights it has a thread'
	! grep 'predicomp' "$scratch/said" || fail 'with raised rights the library talks'
	[ ! -e "$scratch/csv" ] || fail 'with raised rights the library writes a file that its user names'
}

cat=$scratch/cat
cp "$(command -v cat)" "$cat"
chown nobody "$cat"
chmod 4755 "$cat"
chmod 0755 "$scratch"
secure "$cat" /proc/self/status /proc/self/maps
! grep -q predicomp "$scratch/out" || fail 'the loader preloads for a program with raised rights'
beside=$(ldconfig -p | awk '$1 == "libpcprofile.so" || $1 == "libmemusage.so" { print $NF; exit }')
beside=${beside:-$(find /lib/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu -maxdepth 1 \( -name libpcprofile.so \
	-o -name libmemusage.so \) 2>/dev/null | head -n 1)}
if [ -n "$beside" ]; then
	cp "$library" "$scratch/beside.so"
	chmod 4755 "$scratch/beside.so"
	secure unshare --mount env -u LD_PRELOAD sh -c "mount --make-rprivate / &&
		mount --bind '$scratch/beside.so' '$beside' &&
		LD_PRELOAD=$(basename "$beside") exec '$cat' /proc/self/status /proc/self/maps"
	grep -q "$(basename "$beside")" "$scratch/out" || fail 'the loader has not preloaded it: this shows nothing'
	echo 'with raised rights: loaded, and silent'
else
	echo 'libc has no object to put the library in the place of: not tried with raised rights'
fi
