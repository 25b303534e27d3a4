// objects.js COUNT: builds COUNT objects, says "ready", waits for a line, checks them all, says so.
'use strict';
const fs = require('fs');

function record(i) {
	return {
		id: i,
		name: 'user-' + String(i).padStart(6, '0'),
		tags: ['group-' + (i % 97), 'plan-' + (i % 5)],
		balance: ((i * 7919) % 100003) / 100,
		address: { street: (i % 900) + ' Main Street', city: 'city-' + (i % 211) },
	};
}

const count = Number(process.argv[2]);
const records = [];
let begun = process.hrtime.bigint();
const seconds = () => (Number(process.hrtime.bigint() - begun) / 1e9).toFixed(3);
for (let i = 0; i < count; i++) records.push(record(i));
process.stdout.write('ready build_s=' + seconds() + '\n');
fs.readSync(0, Buffer.alloc(16));
begun = process.hrtime.bigint();
for (let i = 0; i < count; i++) {
	if (JSON.stringify(records[i]) !== JSON.stringify(record(i))) {
		process.stderr.write('object ' + i + ' does not hold what was written\n');
		process.exit(3);
	}
}
process.stdout.write('checked=' + count + ' check_s=' + seconds() + '\n');
