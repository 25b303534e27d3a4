"""What bench/run and bench/report are made of. Nothing but Debian's python3 is needed."""
