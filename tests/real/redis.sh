#!/usr/bin/env bash
# redis-server: 100 000 values are stored, get cold, are packed, read back and compared; a BGSAVE is
# made by a forked child while memory is packed, and a server without the library must find every
# value in that dump.
. "$(dirname "$0")/real.bash" "$@"
needs redis-server redis-cli
client=$build/bench/host/redis_client
[ -x "$client" ] || skip 'redis_client has not been built (PREDICOMP_BENCH=OFF)'
keys=100000
socket=$scratch/socket

start() {
	"$@" redis-server --port 0 --unixsocket "$socket" --dir "$scratch" --save '' \
		--appendonly no >"$scratch/server.out" 2>"$scratch/server.err" &
	server=$!
	for _ in $(seq 300); do
		[ "$(redis-cli -s "$socket" ping 2>/dev/null)" = PONG ] && return
		sleep 0.1
	done
	kill "$server" 2>/dev/null
	fail 'the server did not answer within 30 s'
}

stop() {
	redis-cli -s "$socket" shutdown nosave >/dev/null 2>&1
	wait "$server"
}

trap 'kill "${server:-}" 2>/dev/null; rm -rf "$scratch"' EXIT

start under_library
"$client" "$socket" load "$keys" >/dev/null || fail 'values could not be stored'
sleep 3
"$client" "$socket" verify "$keys" >/dev/null || fail 'a value is not what was stored'
sleep 3
redis-cli -s "$socket" bgsave >/dev/null
for _ in $(seq 600); do
	redis-cli -s "$socket" info persistence | grep -q 'rdb_bgsave_in_progress:0' && break
	sleep 0.1
done
redis-cli -s "$socket" info persistence | grep -q 'rdb_last_bgsave_status:ok' || fail 'BGSAVE failed'
"$client" "$socket" verify "$keys" >/dev/null || fail 'a value is wrong after BGSAVE'
stop || fail "the server exits with $?"
account 5000

start env
"$client" "$socket" verify "$keys" >/dev/null || fail 'a value in the dump is wrong'
stop || fail "the server without the library exits with $?"
