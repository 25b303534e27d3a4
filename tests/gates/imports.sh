#!/usr/bin/env bash
# The pager's archive needs nothing but LZ4's entry points that allocate nothing: no libc, no thread-locals.
set -euo pipefail
. "$(dirname "$0")/gate.bash"

archive=$build_dir/pagerd/libpredicomp_pager.a
library=$build_dir/libpredicomp.so
need "$archive"
need "$library"

allowed='LZ4_compress_fast_extState|LZ4_compress_fast_extState_fastReset|LZ4_decompress_safe'
allowed="$allowed|LZ4_initStream|LZ4_sizeofState|LZ4_initStreamHC|LZ4_compress_HC_extStateHC_fastReset"
# What the linker itself defines; the first two tell where the library lies.
allowed="$allowed|__ehdr_start|_end|_GLOBAL_OFFSET_TABLE_"

# Lines of nm -A are archive:member:value-or-blank type name.
defined=$(nm --defined-only "$archive" | awk 'NF == 3 { print $3 }' | sort -u)
wanted=$(nm -A --undefined-only "$archive" | awk '{ split($1, p, ":"); print $NF, p[2] }' | sort -u)

fail 'the pager imports what it must not (symbol, object)' < <(
	join -v 1 <(echo "$wanted") <(echo "$defined") | grep -vE "^($allowed) ")

fail 'the pager has thread-local variables' < <(
	readelf -SW "$archive" | awk '/^File:/ { file = $2 } /\.(tdata|tbss)/ { print file }')

fail "libpredicomp.so uses libc's copying functions: mem.c did not bind them" < <(
	nm -D --undefined-only "$library" | awk '{ sub(/@.*/, "", $NF); print $NF }' |
		grep -xE 'memcpy|memmove|memset|memcmp|strlen')
finish
