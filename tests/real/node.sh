#!/usr/bin/env bash
# node: objects, buffers, timers and workers, with pauses to get cold in.
. "$(dirname "$0")/real.bash" "$@"
needs node
cat >"$scratch/work.js" <<'JS'
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const crypto = require('crypto');
const record = (i) => ({ id: i, name: 'user-' + i, tags: ['a' + (i % 7), 'b'], v: i / 3 });
const digest = (a) => crypto.createHash('sha256').update(JSON.stringify(a)).digest('hex');
const build = (n) => Array.from({ length: n }, (_, i) => record(i));
if (!isMainThread) {
	const mine = build(workerData);
	setTimeout(() => parentPort.postMessage(digest(mine)), 500);
} else {
	const all = build(150000);
	const buffers = Array.from({ length: 64 }, (_, i) => Buffer.alloc(1 << 18, i));
	setTimeout(async () => {
		console.log(digest(all), buffers.reduce((s, b) => s + b[b.length - 1], 0));
		const answers = await Promise.all([10000, 20000, 30000].map((n) => new Promise((ok, no) => {
			const w = new Worker(__filename, { workerData: n });
			w.on('message', ok);
			w.on('error', no);
		})));
		console.log(answers);
		setTimeout(() => {
			console.log(digest(all), buffers.every((b, i) => b.every((x) => x === i)));
			process.exitCode = 3;
		}, 1000);
	}, 1500);
}
JS
same 2000 node "$scratch/work.js"
