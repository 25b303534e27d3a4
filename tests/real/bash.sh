#!/usr/bin/env bash
# bash: pipelines, substitutions, background jobs, traps and here documents.
. "$(dirname "$0")/real.bash" "$@"
needs bash seq sort
cat >"$scratch/work.sh" <<'SH'
trap 'echo trapped; exit 6' TERM
a=$(seq 1 20000 | sort -rn | head -n 3 | tr '\n' ' '); echo "$a"
for i in 1 2 3 4 5 6 7 8; do (sleep 0.1; exit "$i") & pids+=($!); done
for p in "${pids[@]}"; do wait "$p"; echo "job $?"; done
declare -A m; for i in {1..5000}; do m[$i]="value $i"; done
sleep 1
s=0; for k in "${!m[@]}"; do s=$((s + ${#m[$k]})); done; echo "$s"
cat <<<"$(printf '%s\n' {1..50} | paste -sd+ | { read -r e; echo $((e)); })"
(exec -a other bash -c 'echo "$0"')
kill -TERM $$; sleep 1; echo not reached
SH
same 0 bash "$scratch/work.sh"
