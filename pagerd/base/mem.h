/*
 * mem.h - memcpy and its kin for the island.
 *
 * WHY   libc's copies live in pages and consult tables (cache sizes, ifunc slots) that the island
 *       must not depend on while it serves a fault. These are ours, hidden, and also bind the
 *       calls that LZ4 and the compiler make.
 */
#ifndef PC_BASE_MEM_H
#define PC_BASE_MEM_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

#endif
