#!/usr/bin/env bash
# sqlite3: a database in memory, left alone, asked, changed, and checked by its own integrity check.
. "$(dirname "$0")/real.bash" "$@"
needs sqlite3
cat >"$scratch/work.sql" <<'SQL'
CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, v INTEGER, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
INSERT INTO t SELECT i, 'user-' || i, i * 7919 % 100003, printf('note %06d of this row', i) FROM n;
CREATE INDEX byname ON t(name);
.shell sleep 1.5
SELECT count(*), sum(v), min(name), max(name), sum(length(note)) FROM t;
UPDATE t SET v = v + 1 WHERE id % 3 = 0;
DELETE FROM t WHERE id % 11 = 0;
.shell sleep 1
SELECT count(*), sum(v) FROM t;
SELECT name, v FROM t WHERE name >= 'user-5' ORDER BY name LIMIT 5;
PRAGMA integrity_check;
SQL
same 2000 sqlite3 :memory: ".read $scratch/work.sql"
