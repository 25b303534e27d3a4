#include "stream.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define PARTS 8 /* the writer gets the room back in so many pieces */

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

int stream_open(struct stream *s, int map, size_t bytes)
{
	const size_t page = page_bytes();
	char *shared;

	*s = (struct stream){.bytes = bytes};
	s->consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	if (s->consumer == MAP_FAILED) {
		s->consumer = NULL;
		return -errno;
	}
	shared = mmap(NULL, page + 2 * bytes, PROT_READ, MAP_SHARED, map, (off_t)page);
	if (shared == MAP_FAILED)
		return -errno;
	s->producer = (const unsigned long *)(void *)shared;
	s->records = shared + page;
	return 0;
}

void stream_close(struct stream *s)
{
	if (s->records)
		munmap((char *)(uintptr_t)s->records - page_bytes(), page_bytes() + 2 * s->bytes);
	if (s->consumer)
		munmap(s->consumer, page_bytes());
	*s = (struct stream){0};
}

int stream_read(struct stream *s, stream_fn *fn, void *arg)
{
	/* Pairs with the kernel's, which stores the position before it fills the record. */
	const unsigned long end = __atomic_load_n(s->producer, __ATOMIC_ACQUIRE);
	unsigned long at = *s->consumer, given = at;
	int count = 0;

	while (at < end) {
		const char *header = s->records + at % s->bytes;
		const uint32_t length =
		    __atomic_load_n((const uint32_t *)(const void *)header, __ATOMIC_ACQUIRE);
		const uint32_t size = length & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		if (length & BPF_RINGBUF_BUSY_BIT)
			break; /* reserved, and not filled yet */
		if (!(length & BPF_RINGBUF_DISCARD_BIT)) {
			fn(arg, header + BPF_RINGBUF_HDR_SZ, size);
			count++;
		}
		at += (BPF_RINGBUF_HDR_SZ + size + 7ul) & ~7ul;
		if (at - given < s->bytes / PARTS)
			continue;
		given = at;
		__atomic_store_n(s->consumer, given, __ATOMIC_RELEASE);
	}
	__atomic_store_n(s->consumer, at, __ATOMIC_RELEASE);
	return count;
}
