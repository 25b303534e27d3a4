/*
 * connection.h - one client's end of a stream socket to a server on this machine. Included by hosts
 * that talk to servers; what a server answers is compared as it comes.
 */
#ifndef BENCH_CONNECTION_H
#define BENCH_CONNECTION_H

#include "host.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS 32
#define PIPELINE    512
#define BUFFER	    (PIPELINE * 640)

struct connection {
	int fd;
	size_t start, end; /* unread bytes of `in` */
	char in[BUFFER];
};

static inline void connection_open(struct connection *c, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		host_die(HOST_USAGE, "%s is too long for a socket", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	c->start = c->end = 0;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		host_die(HOST_FAILED, "%s: %s", path, strerror(errno));
}

static inline void connection_send(struct connection *c, const char *from, size_t length)
{
	while (length) {
		ssize_t n = write(c->fd, from, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			host_die(HOST_FAILED, "the server went away: %s", strerror(errno));
		from += n;
		length -= (size_t)n;
	}
}

/* Called when all of `in` has been read. */
static inline void connection_receive(struct connection *c)
{
	ssize_t n;

	do {
		n = read(c->fd, c->in, sizeof(c->in));
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		host_die(HOST_FAILED, "the server went away");
	c->start = 0;
	c->end = (size_t)n;
}

/* Says what came instead, up to the end of its first line. */
static inline _Noreturn void connection_wrong(const struct connection *c, uint64_t key)
{
	size_t have = c->end - c->start;
	const char *got = c->in + c->start, *end = memchr(got, '\r', have);

	host_die(HOST_WRONG_BYTES,
		 "key %llu does not hold what was stored: the server answered %.*s",
		 (unsigned long long)key, (int)(end ? end - got : 0), got);
}

/* Compares as far as bytes have come: a wrong answer may be shorter than the right one. */
static inline void connection_expect(struct connection *c, const char *text, size_t length,
				     uint64_t key)
{
	while (length) {
		size_t have, here;

		if (c->start == c->end)
			connection_receive(c);
		have = c->end - c->start;
		here = have < length ? have : length;
		if (memcmp(c->in + c->start, text, here) != 0)
			connection_wrong(c, key);
		c->start += here;
		text += here;
		length -= here;
	}
}

/*
 * Each key of [0, keys) by `put`, a pipeline of them at a time; then the answers by `expect`. `out`
 * has BUFFER bytes.
 */
static inline void connection_each_key(struct connection *c, uint64_t keys, char *out,
				       size_t (*put)(char *, uint64_t),
				       void (*expect)(struct connection *, uint64_t))
{
	for (uint64_t first = 0; first < keys; first += PIPELINE) {
		uint64_t last = first + PIPELINE < keys ? first + PIPELINE : keys;
		size_t length = 0;

		for (uint64_t key = first; key < last; key++)
			length += put(out + length, key);
		connection_send(c, out, length);
		for (uint64_t key = first; key < last; key++)
			expect(c, key);
	}
}

#endif
