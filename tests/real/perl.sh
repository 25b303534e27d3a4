#!/usr/bin/env bash
# perl: hashes and strings, a pause, a child by fork, and everything read again.
. "$(dirname "$0")/real.bash" "$@"
needs perl
cat >"$scratch/work.pl" <<'PL'
use strict; use warnings; $| = 1;
my (%h, @a);
$h{"key-$_"} = { id => $_, text => "value $_ " x 3 } for 1 .. 80000;
push @a, join(",", $_ .. $_ + 20) for 1 .. 20000;
sub total { my $s = 0; $s += $h{$_}{id} + length $h{$_}{text} for keys %h; $s + length join "", @a }
select undef, undef, undef, 1.2;
print total(), "\n";
my $pid = fork // die;
if (!$pid) { select undef, undef, undef, 0.5; print "child ", total(), "\n"; exit 4 }
waitpid $pid, 0;
print "status ", $? >> 8, "\n";
select undef, undef, undef, 1;
print total(), " ", (sort keys %h)[777], "\n";
exit 9;
PL
same 2000 perl "$scratch/work.pl"
