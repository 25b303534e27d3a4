#!/usr/bin/env bash
# nginx: serves files, packed by gzip too, while it is told to read its configuration again and again; the
# tables of its workers are cold most of the time. Every answer is what the file holds.
. "$(dirname "$0")/../real/real.bash" "$@"
PATH=$PATH:/usr/sbin
needs nginx /usr/bin/python3
mkdir "$scratch/files" "$scratch/tmp"
user=nobody
[ "$(id -u)" != 0 ] || user=root
cat >"$scratch/conf" <<CONF
daemon off;
user $user;
worker_processes 2;
worker_rlimit_nofile 1024;
pid $scratch/pid;
error_log $scratch/error.log warn;
events { worker_connections 20000; }
http {
	access_log off;
	client_body_temp_path $scratch/tmp; proxy_temp_path $scratch/tmp; fastcgi_temp_path $scratch/tmp;
	uwsgi_temp_path $scratch/tmp; scgi_temp_path $scratch/tmp;
	gzip on; gzip_types *; gzip_min_length 100;
	open_file_cache max=100; sendfile off; output_buffers 4 256k;
	server { listen unix:$scratch/socket; root $scratch/files; }
}
CONF
cat >"$scratch/client.py" <<'PY'
import gzip, hashlib, http.client, os, signal, socket, sys, threading, time

where, server, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sums = {}
for i in range(24):
    body = b"".join(hashlib.sha256(b"%d %d" % (i, k)).hexdigest().encode() for k in range(1 << i % 14))
    with open(f"{where}/files/{i}", "wb") as f:
        f.write(body)
    sums[i] = hashlib.sha256(body).hexdigest()

class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(f"{where}/socket")

def get(i, packed):
    c = Connection("localhost", timeout=60)
    c.request("GET", f"/{i}", headers={"Accept-Encoding": "gzip"} if packed else {})
    r = c.getresponse()
    body = r.read()
    if r.getheader("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    c.close()
    assert r.status == 200 and hashlib.sha256(body).hexdigest() == sums[i], (i, r.status, len(body))

wrong = []
def client(seed):
    try:
        for n in range(60):
            get((seed + n) % 24, n % 2)
    except BaseException as e:
        wrong.append(repr(e))

for n in range(rounds):
    threads = [threading.Thread(target=client, args=(k,)) for k in range(4)]
    for t in threads: t.start()
    if n:
        os.kill(server, signal.SIGHUP)
    for t in threads: t.join()
    time.sleep(0.7)
print("\n".join(wrong) or f"{rounds * 240} answers, {rounds - 1} reloads")
sys.exit(bool(wrong))
PY

server=
trap 'kill ${server:-} 2>/dev/null; rm -rf "$scratch"' EXIT

# try COMMAND...: in front of the server; leaves its exit status in $status
try() {
	rm -f "$scratch/pid" "$scratch/socket"
	"$@" nginx -e "$scratch/error.log" -c "$scratch/conf" >"$scratch/server.out" 2>"$scratch/server.err" &
	shell=$!
	for _ in $(seq 300); do
		[ -S "$scratch/socket" ] && [ -s "$scratch/pid" ] && break
		sleep 0.1
	done
	[ -s "$scratch/pid" ] || { cat "$scratch/error.log" "$scratch/server.err"; fail 'nginx did not start'; }
	server=$(cat "$scratch/pid")
	/usr/bin/python3 "$scratch/client.py" "$scratch" "$server" "${NGINX_ROUNDS:-4}" || {
		cat "$scratch/error.log"
		fail "answers were wrong ($*)"
	}
	kill -QUIT "$server"
	wait "$shell"
	status=$?
	server=
	! grep -E 'predicomp\[|exited on signal|\[(alert|emerg)\]' "$scratch/error.log" "$scratch/server.err" ||
		fail "nginx complains ($*)"
}

try env
plain=$status
try under_library
[ $status = $plain ] || fail "exits with $status, and with $plain without the library"
account 1000
