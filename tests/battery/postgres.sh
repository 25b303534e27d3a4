#!/usr/bin/env bash
# postgres: a cluster with checksums is made, filled and worked on by pgbench, all under the library, and
# a backend sorts and joins in memory that gets cold between two questions. The books of pgbench must
# balance; without the library every page, index and row is as it should be, and so is the answer.
# PGBENCH_SECONDS (5) and PGBENCH_SCALE (2) make it longer and larger.
. "$(dirname "$0")/../real/real.bash" "$@"
bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
[ -x "$bin/postgres" ] || skip 'postgres is missing: apt-get install postgresql'
PATH=$bin:$PATH
needs initdb pg_ctl pgbench psql pg_amcheck pg_checksums setpriv
work=$scratch/work
mkdir "$work"
: >"$scratch/csv"
as=()
if [ "$(id -u)" = 0 ]; then
	id postgres >/dev/null 2>&1 || skip 'there is no user postgres'
	# It refuses to run as root; the one right that the library needs goes with it.
	as=(setpriv --reuid postgres --regid postgres --clear-groups --inh-caps +sys_ptrace
		--ambient-caps +sys_ptrace)
	chmod 755 "$scratch"
	chmod 666 "$scratch/csv"
	chown postgres "$work"
	"${as[@]}" test -r "$library" || skip 'the user postgres cannot read the build'
fi
data=$work/data
export PGHOST=$work PGUSER=check PGDATABASE=postgres PGPORT=5432

with=()
under=(LD_PRELOAD="$library" PREDICOMP_COLD_AGE=50ms PREDICOMP_MIN_RSS=1M PREDICOMP_MAX_CPU=100%
	PREDICOMP_VERIFY=always PREDICOMP_CSV="$scratch/csv")

# run COMMAND...: as the user who may, with the environment $with
run() {
	(cd "$work" && "${as[@]}" env "${with[@]}" "$@") >"$scratch/out" 2>&1 || {
		cat "$scratch/out" "$work/log" 2>/dev/null
		fail "$1 ends with $?"
	}
}

start() {
	run pg_ctl -D "$data" -l "$work/log" -w -t 60 -o \
		"-c listen_addresses='' -c unix_socket_directories='$work' -c fsync=off -c work_mem=64MB" start
}

stop() {
	run pg_ctl -D "$data" -w -t 60 -m fast stop
}

trap '"${as[@]}" "$bin/pg_ctl" -D "$data" -m immediate stop >/dev/null 2>&1; rm -rf "$scratch"' EXIT

cat >"$work/balance.sql" <<'SQL'
SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history)
   AND (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(delta) FROM pgbench_history)
   AND (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(delta) FROM pgbench_history);
SQL
# A cursor keeps its sorted rows in the backend's own memory while nobody asks for them.
cat >"$work/cold.sql" <<'SQL'
BEGIN;
DECLARE c SCROLL CURSOR FOR
	SELECT i, md5(i::text) AS h FROM generate_series(1, 200000) AS i ORDER BY md5(i::text);
MOVE FORWARD ALL IN c;
SELECT pg_sleep(1);
MOVE ABSOLUTE 0 IN c;
FETCH 3 FROM c;
MOVE ABSOLUTE 150000 IN c;
FETCH 3 FROM c;
SELECT pg_sleep(0.5);
FETCH LAST FROM c;
ROLLBACK;
SQL

balanced() {
	run psql -Atq -f "$work/balance.sql"
	grep -qx t "$scratch/out" || fail "the books do not balance $1"
}

with=("${under[@]}")
run initdb -D "$data" -U check -A trust --data-checksums --no-sync
start
run pgbench -i -q -s "${PGBENCH_SCALE:-2}"
run pgbench -c 4 -j 2 -T "${PGBENCH_SECONDS:-5}"
transactions=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' "$scratch/out")
[ "${transactions:-0}" -gt 0 ] || fail 'pgbench did nothing'
balanced 'under the library'
run psql -Atq -f "$work/cold.sql"
cp "$scratch/out" "$scratch/cold"
stop
! grep 'predicomp\[' "$work/log" || fail 'makes the library complain'
with=()
start
run psql -Atq -f "$work/cold.sql"
cmp "$scratch/cold" "$scratch/out" || fail 'a cursor reads something else'
balanced 'without the library'
run pg_amcheck --install-missing --heapallindexed --parent-check
stop
run pg_checksums --check -D "$data"
echo "$transactions transactions"
account 1000
