/*
 * redis_client SOCKET load KEYS              stores KEYS JSON-like values of 200 to 400 bytes
 * redis_client SOCKET get KEYS COUNT [SEED]  COUNT GETs, uniform over KEYS, on 32 connections
 * redis_client SOCKET verify KEYS            reads every value back
 *
 * A value is a function of its key's number, so every answer is compared, byte for byte, with what
 * must have been stored. Prints name=value lines.
 */
#include "host.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS 32
#define PIPELINE    512
#define VALUE_MAX   512
#define BUFFER	    (PIPELINE * 640)

struct connection {
	int fd;
	size_t start, end; /* unread bytes of `in` */
	char in[BUFFER];
};

static char out[BUFFER];

static const char *const words[] = {
    "account", "active",  "address", "balance", "basic",   "blue",   "city",	"contact",
    "created", "default", "email",   "enabled", "express", "france", "germany", "green",
    "invoice", "item",	  "large",   "london",	"monthly", "none",   "order",	"paris",
    "pending", "premium", "private", "red",	"shipped", "small",  "visible", "weekly",
};

static const char *pick(uint64_t *state)
{
	return words[host_random(state) % (sizeof(words) / sizeof(words[0]))];
}

/* The value of key `number`: 200 to 400 bytes, as an application would store a record. */
static size_t make_value(char *to, uint64_t number)
{
	uint64_t state = number * 31 + 7;
	unsigned id = (unsigned)number, want = 200 + (unsigned)(host_random(&state) % 190);
	int n = snprintf(
	    to, VALUE_MAX,
	    "{\"id\":%u,\"user\":\"user-%08u\",\"email\":\"%s.%u@example.com\",\"plan\":"
	    "\"%s\",\"balance\":%u.%02u,\"seen\":\"2024-%02u-%02uT%02u:%02u:00Z\",\"tags\":[",
	    id, id, pick(&state), (unsigned)(host_random(&state) % 100000), pick(&state),
	    (unsigned)(host_random(&state) % 10000), (unsigned)(host_random(&state) % 100),
	    1 + (unsigned)(host_random(&state) % 12), 1 + (unsigned)(host_random(&state) % 28),
	    (unsigned)(host_random(&state) % 24), (unsigned)(host_random(&state) % 60));

	while (n < (int)want)
		n += snprintf(to + n, VALUE_MAX - (size_t)n, "\"%s\",", pick(&state));
	return (size_t)n + (size_t)snprintf(to + n, VALUE_MAX - (size_t)n, "null]}");
}

static void open_connection(struct connection *c, const char *path)
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

static void send_all(struct connection *c, const char *from, size_t length)
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
static void receive_more(struct connection *c)
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
static _Noreturn void wrong(const struct connection *c, uint64_t key)
{
	size_t have = c->end - c->start;
	const char *got = c->in + c->start, *end = memchr(got, '\r', have);

	host_die(HOST_WRONG_BYTES,
		 "key %llu does not hold what was stored: the server answered %.*s",
		 (unsigned long long)key, (int)(end ? end - got : 0), got);
}

/* Compares as far as bytes have come: a wrong answer may be shorter than the right one. */
static void expect(struct connection *c, const char *text, size_t length, uint64_t key)
{
	while (length) {
		size_t have, here;

		if (c->start == c->end)
			receive_more(c);
		have = c->end - c->start;
		here = have < length ? have : length;
		if (memcmp(c->in + c->start, text, here) != 0)
			wrong(c, key);
		c->start += here;
		text += here;
		length -= here;
	}
}

static void expect_value(struct connection *c, uint64_t key)
{
	char value[VALUE_MAX], answer[VALUE_MAX + 32];
	size_t length = make_value(value, key);
	int n = snprintf(answer, sizeof(answer), "$%zu\r\n%s\r\n", length, value);

	expect(c, answer, (size_t)n, key);
}

static size_t put_get(char *to, uint64_t key)
{
	return (size_t)sprintf(to, "*2\r\n$3\r\nGET\r\n$12\r\nkey:%08u\r\n", (unsigned)key);
}

static size_t put_set(char *to, uint64_t key)
{
	char value[VALUE_MAX];
	size_t length = make_value(value, key);

	return (size_t)sprintf(to, "*3\r\n$3\r\nSET\r\n$12\r\nkey:%08u\r\n$%zu\r\n%s\r\n",
			       (unsigned)key, length, value);
}

static void load(struct connection *c, uint64_t keys)
{
	for (uint64_t first = 0; first < keys; first += PIPELINE) {
		uint64_t last = first + PIPELINE < keys ? first + PIPELINE : keys;
		size_t length = 0;

		for (uint64_t key = first; key < last; key++)
			length += put_set(out + length, key);
		send_all(c, out, length);
		for (uint64_t key = first; key < last; key++)
			expect(c, "+OK\r\n", 5, key);
	}
}

static void verify(struct connection *c, uint64_t keys)
{
	for (uint64_t first = 0; first < keys; first += PIPELINE) {
		uint64_t last = first + PIPELINE < keys ? first + PIPELINE : keys;
		size_t length = 0;

		for (uint64_t key = first; key < last; key++)
			length += put_get(out + length, key);
		send_all(c, out, length);
		for (uint64_t key = first; key < last; key++)
			expect_value(c, key);
	}
}

/* One request is under way on each connection at a time, as independent clients would have it. */
static void get(struct connection *connections, uint64_t keys, uint64_t count, uint64_t seed)
{
	for (uint64_t done = 0; done < count; done += CONNECTIONS) {
		uint64_t asked[CONNECTIONS];

		for (int i = 0; i < CONNECTIONS; i++) {
			asked[i] = host_random(&seed) % keys;
			send_all(&connections[i], out, put_get(out, asked[i]));
		}
		for (int i = 0; i < CONNECTIONS; i++)
			expect_value(&connections[i], asked[i]);
	}
}

static _Noreturn void usage(void)
{
	host_die(HOST_USAGE, "usage: redis_client SOCKET load|verify KEYS\n"
			     "       redis_client SOCKET get KEYS COUNT [SEED]");
}

int main(int argc, char **argv)
{
	struct connection *connections;
	uint64_t keys, count, start, spent;
	int is_get;

	if (argc < 4)
		usage();
	is_get = strcmp(argv[2], "get") == 0;
	if (is_get ? argc < 5 || argc > 6 : argc != 4)
		usage();
	keys = count = host_number(argv[3], "KEYS", 99999999);
	if (is_get)
		count = host_number(argv[4], "COUNT", UINT32_MAX);
	connections = calloc(CONNECTIONS, sizeof(*connections));
	if (!connections || !keys || !count)
		usage();
	for (int i = 0; i < (is_get ? CONNECTIONS : 1); i++)
		open_connection(&connections[i], argv[1]);

	start = host_now();
	if (is_get)
		get(connections, keys, count,
		    argc == 6 ? host_number(argv[5], "SEED", UINT32_MAX) : 1);
	else if (strcmp(argv[2], "load") == 0)
		load(connections, keys);
	else if (strcmp(argv[2], "verify") == 0)
		verify(connections, keys);
	else
		usage();
	spent = host_now() - start;
	if (is_get)
		count = (count + CONNECTIONS - 1) / CONNECTIONS * CONNECTIONS;
	printf("count=%llu\nseconds=%.3f\nper_s=%.0f\n", (unsigned long long)count,
	       (double)spent / 1e9, (double)count * 1e9 / (double)spent);
	free(connections);
	return HOST_OK;
}
