#!/usr/bin/env bash
# A machine of tools/lab that broke down is never a pass: QEMU is played by a program that ends in
# every wrong way, and in the right one. tests/lab has the same with real machines.
. "$(dirname "$0")/gate.bash"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/image"
echo kernel >"$scratch/image/vmlinux"
echo files >"$scratch/image/initramfs.cpio"
cat >"$scratch/qemu" <<'FAKE'
#!/usr/bin/env bash
# Says what FAKE_OUT and FAKE_STATUS hold on the ports, then ends as FAKE_END says.
for argument in "$@"; do
	case $argument in
	file,id=out,path=*) printf %s "$FAKE_OUT" >"${argument#*path=}" ;;
	file,id=status,path=*) printf %s "$FAKE_STATUS" >"${argument#*path=}" ;;
	file:*) printf %s "$FAKE_CONSOLE" >"${argument#file:}" ;;
	esac
done
case $FAKE_END in
hang) exec sleep 60 ;;
killed) kill -KILL $$ ;;
*) exit "$FAKE_END" ;;
esac
FAKE
chmod +x "$scratch/qemu"

# expect STATUS WHAT: the lab ends with STATUS and says WHAT on standard error
expect() {
	local status
	LAB_QEMU=$scratch/qemu FAKE_OUT=$out FAKE_STATUS=$line FAKE_CONSOLE=$console FAKE_END=$end \
		"$source_dir/tools/lab" --image "$scratch/image" --timeout "$limit" -- true \
		>"$scratch/out" 2>"$scratch/err"
	status=$?
	if [ "$status" != "$1" ] || { [ -n "$2" ] && ! grep -q -- "$2" "$scratch/err"; }; then
		{ echo "exit status $status, not $1 with '$2'"; cat "$scratch/err"; } |
			sed 's/^/  /' >"$scratch/why"
		fail "output [$out], status [$line], QEMU ends with $end" <"$scratch/why"
	fi
}

good=$'status 0 out 3 err 0\n' out=abc line=$good console="" end=85 limit=60
expect 0 ''
fail "the output is not what the machine said" < <(grep -vx abc "$scratch/out")
line=$'status 7 out 3 err 0\n' expect 7 ''
line=$'status 0 out 4 err 0\n' expect 125 'not to be believed'
line=$'status 0 out 3 err 1\n' expect 125 'not to be believed'
line="$good$good" expect 125 'not to be believed'
line=$'status  out 3 err 0\n' expect 125 'not to be believed'
line="" expect 125 'without a status'
end=0 expect 125 'not to be believed'
end=1 expect 125 'not to be believed'
end=0 line="" console='Kernel panic - not syncing' expect 125 'panicked'
end=killed expect 125 'signal 9'
end=killed line="" expect 125 'signal 9'
end=hang limit=2 expect 125 'hung'

# wrong WHAT ARGUMENT...: one line with WHAT, and status 2; nothing is started
wrong() {
	local what=$1 status
	shift
	LAB_QEMU=/bin/false "$source_dir/tools/lab" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
	status=$?
	if [ $status != 2 ] || [ "$(wc -l <"$scratch/err")" != 1 ] || ! grep -q -- "$what" "$scratch/err"; then
		fail "[$*]: exit status $status, not 2 with one line of '$what'" < <(cat "$scratch/err"; echo end)
	fi
}

wrong 'one of: 6.1 6.12' --kernel 5 -- true
wrong 'no command' --kernel 6.1
wrong 'a command comes after --' --kernel 6.1 true
wrong '--memory wants a number' --kernel 6.1 --memory 2G -- true
wrong 'no folder' --kernel 6.1 --results "$scratch/none" -- true
wrong 'no user' --image "$scratch/image" --user no-such-user -- true
wrong 'shell goes without a command' --kernel 6.1 shell -- true
wrong 'shell wants a terminal' --kernel 6.1 shell

# What is missing is one line and status 77. Played: whoever runs this is not root, so that nothing is
# installed; what the lab runs is there, of which nothing is needed so far; apt has no kernel to offer.
mkdir "$scratch/bin"
for program in apt-cache cpio depmod dpkg-deb mke2fs xz zstd; do
	printf '#!/bin/sh\n' >"$scratch/bin/$program"
done
printf '#!/bin/sh\necho 1000\n' >"$scratch/bin/id"
chmod +x "$scratch/bin"/*

# expect_missing WHAT VARIABLE=VALUE... -- ARGUMENT...: for the lab
expect_missing() {
	local what=$1 settings=() status
	shift
	while [ "$1" != -- ]; do
		settings+=("$1")
		shift
	done
	shift
	env PATH="$scratch/bin:$PATH" XDG_CACHE_HOME="$scratch/cache" "${settings[@]}" \
		"$source_dir/tools/lab" "$@" -- true >"$scratch/out" 2>"$scratch/err"
	status=$?
	[ $status = 77 ] || fail "$what: exit status $status, not 77" <"$scratch/err"
	if [ "$(wc -l <"$scratch/err")" != 1 ] || ! grep -q "$what" "$scratch/err"; then
		fail "not one line with '$what'" < <(cat "$scratch/err"; echo 'end of what was said')
	fi
}

expect_missing 'apt-get install no-such-qemu' LAB_QEMU=no-such-qemu -- --image "$scratch/image"
expect_missing 'apt knows no Debian kernel of the 6.1 series' LAB_QEMU="$scratch/qemu" -- --kernel 6.1
finish
