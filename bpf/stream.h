/*
 * stream.h - the reader's end of a ring buffer that is filled faster than it is polled.
 *
 * WHY   libbpf's reader stores its position after each record, into a line that the writer loads
 *       before each: at a million faults a second the two CPUs pass it to and fro. Here the
 * position is stored once for each part of the buffer that was read.
 */
#ifndef PC_BPF_STREAM_H
#define PC_BPF_STREAM_H

#include <stddef.h>

struct stream {
	unsigned long *consumer; /* ours to store */
	const unsigned long *producer;
	const char *records; /* twice in a row, so that none lies around the end */
	size_t bytes;
};

/* The map of type RINGBUF, whose size is `bytes`. 0 or -errno. */
int stream_open(struct stream *s, int map, size_t bytes);
void stream_close(struct stream *s);

/* Every record that has come since the last call. Their number. */
typedef void stream_fn(void *arg, const void *record, size_t size);
int stream_read(struct stream *s, stream_fn *fn, void *arg);

#endif
