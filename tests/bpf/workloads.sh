#!/usr/bin/env bash
# workloads.sh BUILD: programs whose faults are known beforehand: a cold file mapped and read in order,
# and at random, and more memory than a cgroup allows.
set -uo pipefail

build=${1:?usage: $0 BUILD}
predicomp=$build/predicomp
scratch=$(mktemp -d /var/tmp/predicomp-workloads-XXXXXX)
cgroup=
trap 'rm -rf "$scratch"; [ -z "$cgroup" ] || rmdir "$cgroup"' EXIT

skip() {
	printf 'SKIP: %s\n' "$1"
	exit 77
}

fail() {
	printf 'FAIL: %s\n' "$1"
	exit 1
}

# number NAME FILE: its first
number() {
	grep -m 1 "\"$1\"" "$2" | tr -dc 0-9
}

out=$("$predicomp" reclaim -- true 2>&1) || skip "$(tail -n 1 <<<"$out")"

cat >"$scratch/map.py" <<'PY'
import mmap, os, random, sys
how, path, size = sys.argv[1], sys.argv[2], 32 << 20
fd = os.open(path, os.O_RDONLY)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
m = mmap.mmap(fd, size, prot=mmap.PROT_READ)
pages = list(range(size // 4096))
if how == "random":
    random.Random(1).shuffle(pages)
    m.madvise(mmap.MADV_RANDOM)
print(sum(m[p * 4096] for p in pages))
PY
head -c 32M /dev/urandom >"$scratch/file"
sync "$scratch/file"

# --- in order: read ahead, so one major fault brings many pages; at random: one each
"$predicomp" faults --json -- /usr/bin/python3 "$scratch/map.py" order "$scratch/file" >"$scratch/order"
"$predicomp" faults --json -- /usr/bin/python3 "$scratch/map.py" random "$scratch/file" >"$scratch/random"
order=$(number major "$scratch/order") random=$(number major "$scratch/random")
echo "32 MB of a cold file: $order major faults in order, $random at random"
[ "$order" -ge 1 ] || fail "in order: the file was not cold"
[ "$random" -ge 8192 ] || fail 'at random: fewer major faults than pages'
[ $((order * 8)) -le "$random" ] || fail 'reading ahead does not show'

# --- 96 MB of a file, mapped, where 48 MB are allowed: reclaim at the limit, and the reader waits for it
if grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
	cgroup=/sys/fs/cgroup/predicomp-workloads-$$ limit=memory.max
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null
else
	cgroup=/sys/fs/cgroup/memory/predicomp-workloads-$$ limit=memory.limit_in_bytes
fi
mkdir "$cgroup" 2>/dev/null || { cgroup=; echo 'note: no memory cgroup can be made: the limit is not tested'; exit 0; }
echo $((48 << 20)) >"$cgroup/$limit" || skip 'a memory limit cannot be set'
head -c 96M /dev/urandom >"$scratch/large"
sync "$scratch/large"
sed -i 's/32 << 20/96 << 20/' "$scratch/map.py"
"$predicomp" reclaim --json -- sh -c "echo \$\$ >$cgroup/cgroup.procs &&
	exec /usr/bin/python3 $scratch/map.py order $scratch/large" >"$scratch/reclaim" ||
	fail 'the reader in the cgroup failed'
sed -n '/^{/,$p' "$scratch/reclaim" >"$scratch/json"
memcg=$(number memcg "$scratch/json") pages=$(number memcg_pages "$scratch/json")
stall=$(number memcg_ns "$scratch/json") direct=$(number direct "$scratch/json")
echo "96 MB in 48: $memcg reclaims at the limit, $pages pages, $stall ns of waiting, $direct direct"
[ "$memcg" -gt 0 ] && [ "$stall" -gt 0 ] || fail 'no reclaim at the limit was seen'
[ "$pages" -ge 10000 ] || fail 'fewer pages came back than had to'
grep -q '"name": "python3"\|"name": "sh"' "$scratch/json" || fail 'it is not said who waited'
exit 0
