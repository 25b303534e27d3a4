#!/usr/bin/env bash
# Somebody who is not root: managed when he was given a userfaultfd in either way, left alone with
# the way to ask for one when not; and what was given can be taken back.
. "$(dirname "$0")/lab.bash"

setup=$source_dir/tools/setup-permissions
check=$scratch/check
[ "$(id -u)" = 0 ] || skip "it needs root, to become somebody else"

# as GROUPS COMMAND...
as() {
	local groups=$1
	shift
	setpriv --reuid 65534 --regid 65534 ${groups:---clear-groups} "$@"
}

nobody() {
	as "" "$@"
}

nobody test -r "$library" || skip "nobody may not read $library"
case $(uname -r) in 6.1.*) can_move="" ;; *) can_move=yes ;; esac

# expect_managed WHAT GROUPS: as far as this kernel goes
expect_managed() {
	as "$2" "$build/predicomp" check >"$check"
	local status=$?
	grep -q '^  userfaultfd, kernel-mode.* yes' "$check" || fail "$1: no userfaultfd: $(cat "$check")"
	[ -n "$can_move" ] || return
	[ $status = 0 ] || fail "$1: check ends with $status: $(cat "$check")"
	grep -q 'page age comes from probe' "$check" || fail "$1: age does not come from the probe"
	as "$2" env TMPDIR="$scratch" HOST_AGES=0 "$source_dir/tests/live/drive" "$build/tests/live/brk" "$library" ||
		fail "$1: a program is not managed"
}

# expect_inert WHAT GROUPS: it says what to ask for, and programs run as ever
expect_inert() {
	as "$2" "$build/predicomp" check >"$check"
	[ $? = 1 ] || fail "$1: check does not end with 1: $(cat "$check")"
	grep -A2 '^  userfaultfd, kernel-mode.* missing' "$check" | grep -q "remedy .*setup-permissions" ||
		fail "$1: check does not say what to ask for: $(cat "$check")"
	# What could not be tried must not send him for another kernel.
	[ "$(grep -c ' not asked$' "$check")" = 4 ] ||
		fail "$1: what was not asked is called missing: $(cat "$check")"
	as "$2" env LD_PRELOAD="$library" PREDICOMP_MIN_RSS=0 PREDICOMP_COLD_AGE=0 PREDICOMP_LOG=info \
		"$build/tests/live/brk" >"$scratch/out" 2>"$scratch/err"
	[ $? = 0 ] || fail "$1: a program ends otherwise: $(cat "$scratch/err")"
	[ "$(grep -c 'not managed: no userfaultfd' "$scratch/err")" = 1 ] ||
		fail "$1: not one line that says why: $(cat "$scratch/err")"
}

expect_inert 'nothing given' ''
"$setup" --dry-run >"$scratch/said" || fail "--dry-run ends with $?"
expect_inert 'after a rehearsal' ''
nobody "$setup" 2>/dev/null
[ $? = 4 ] || fail "somebody may set up permissions"

"$setup" >"$scratch/said" || fail "setup-permissions ends with $?: $(cat "$scratch/said")"
expect_managed 'the device for all' ''
[ "$(stat -c %a /dev/userfaultfd)" = 666 ] || fail "the device has mode $(stat -c %a /dev/userfaultfd)"
chmod 0600 /dev/userfaultfd
if command -v systemd-tmpfiles >/dev/null; then
	systemd-tmpfiles --create /etc/tmpfiles.d/predicomp.conf || fail "systemd-tmpfiles refuses the line"
	[ "$(stat -c %a /dev/userfaultfd)" = 666 ] || fail "the tmpfiles line does not give the device back"
fi
"$setup" --undo >"$scratch/said" || fail "--undo ends with $?"
expect_inert 'the device taken back' ''
"$setup" --undo >"$scratch/said" 2>&1 && fail "an undo of nothing succeeds"

"$setup" --group games >"$scratch/said" || fail "--group ends with $?"
expect_managed 'the device for a group, a member' "--groups $(getent group games | cut -d: -f3)"
expect_inert 'the device for a group, not a member' ''
"$setup" --undo >"$scratch/said" || fail "--undo of a group ends with $?"

"$setup" --sysctl >"$scratch/said" || fail "--sysctl ends with $?"
expect_managed 'the sysctl' ''
"$setup" --undo >"$scratch/said" || fail "--undo of the sysctl ends with $?"
expect_inert 'the sysctl taken back' ''

# What was so before is so again, also after it was given twice and in both ways.
chgrp games /dev/userfaultfd
chmod 0620 /dev/userfaultfd
sysctl -q -w vm.unprivileged_userfaultfd=1
"$setup" >"$scratch/said" && "$setup" --group games >"$scratch/said" && "$setup" --sysctl >"$scratch/said" &&
	"$setup" --sysctl >"$scratch/said" || fail "given again: $(cat "$scratch/said")"
"$setup" --undo --dry-run >"$scratch/said" || fail "a rehearsal of --undo ends with $?"
[ "$(stat -c '%a %G' /dev/userfaultfd)" = '660 games' ] || fail "a rehearsal changes the device"
"$setup" --undo >"$scratch/said" || fail "--undo of both ends with $?: $(cat "$scratch/said")"
[ "$(stat -c '%a %G' /dev/userfaultfd)" = '620 games' ] ||
	fail "the device is $(stat -c '%a %G' /dev/userfaultfd) after --undo, and was 620 games"
[ "$(sysctl -n vm.unprivileged_userfaultfd)" = 1 ] || fail "--undo takes a sysctl that was not its own"
[ -z "$(ls /etc/udev/rules.d/70-predicomp.rules /etc/tmpfiles.d/predicomp.conf \
	/etc/sysctl.d/70-predicomp.conf 2>/dev/null)" ] || fail "--undo leaves files"

[ $lab_failed = 0 ] && echo "permissions: given by device, group and sysctl, and taken back"
exit $lab_failed
