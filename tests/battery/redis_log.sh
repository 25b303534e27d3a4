#!/usr/bin/env bash
# redis-server with an append-only file: while values are packed the file is rewritten and the memory
# dumped by children, values change meanwhile, and memory is defragmented. All values are right then, and
# in servers without the library that start from the file, and from the dump.
. "$(dirname "$0")/../real/real.bash" "$@"
needs redis-server redis-cli
client=$build/bench/host/redis_client
[ -x "$client" ] || skip 'redis_client has not been built (PREDICOMP_BENCH=OFF)'
keys=${REDIS_KEYS:-60000}
socket=$scratch/socket

start() {
	"$@" redis-server --port 0 --unixsocket "$socket" --dir "$scratch" --save '' --appendonly "$append" \
		--appendfsync no --auto-aof-rewrite-percentage 0 >"$scratch/server.out" 2>"$scratch/server.err" &
	server=$!
	for _ in $(seq 600); do
		[ "$(redis-cli -s "$socket" ping 2>/dev/null)" = PONG ] && return
		sleep 0.1
	done
	fail 'the server did not answer within 60 s'
}

ask() {
	redis-cli -s "$socket" "$@"
}

stop() {
	ask shutdown nosave >/dev/null 2>&1
	wait "$server"
}

verify() {
	"$client" "$socket" verify "$keys" >/dev/null || fail "a value is wrong $1"
	[ "$(ask eval "$sum" 0)" = "$(cat "$scratch/sum")" ] || fail "a changed value is wrong $1"
}

# until_done WHAT: of the fields of `info persistence`
until_done() {
	for _ in $(seq 600); do
		ask info persistence | grep -q "^$1_in_progress:0" && break
		sleep 0.1
	done
	ask info persistence | grep -q "^$2:ok" || fail "$1 failed"
}

change() {
	ask eval "for i = 1, 20000 do redis.call('hincrby', 'h' .. i % 500, 'f' .. i, $1 * i) end" 0 >/dev/null
}

sum="local n = 0; for i = 0, 499 do for _, v in ipairs(redis.call('hvals', 'h' .. i)) do n = n + v end end; return n"
trap 'kill "${server:-}" 2>/dev/null; rm -rf "$scratch"' EXIT

append=yes
start under_library
"$client" "$socket" load "$keys" >/dev/null || fail 'values could not be stored'
change 1
for round in 1 2; do
	sleep 1.5
	ask bgrewriteaof >/dev/null
	change $((round + 1))
	until_done aof_rewrite aof_last_bgrewrite_status
	ask eval "$sum" 0 >"$scratch/sum"
	sleep 1
	verify "after rewrite $round"
done
sleep 1
ask bgsave >/dev/null
until_done rdb_bgsave rdb_last_bgsave_status
verify 'after BGSAVE'
stop || fail "the server exits with $?"
account 5000

for append in yes no; do
	start env
	verify "without the library, appendonly $append"
	stop || fail "the server without the library exits with $?"
done
