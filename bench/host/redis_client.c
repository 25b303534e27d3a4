/*
 * redis_client SOCKET load KEYS               stores KEYS JSON-like values of 200 to 400 bytes
 * redis_client SOCKET get KEYS COUNT [SEED]   COUNT GETs, uniform over KEYS, on 32 connections
 * redis_client SOCKET zipf KEYS COUNT [SEED]  the same, zipf 0.99 over KEYS
 * redis_client SOCKET set KEYS COUNT [SEED]   COUNT SETs of what is there already, uniform
 * redis_client SOCKET verify KEYS             reads every value back
 * redis_client SOCKET bgsave                  saves in the background and waits for the end of it
 *
 * A value is a function of its key's number, so every answer is compared, byte for byte, with what
 * must have been stored. Prints name=value lines. A request's time is from its sending to the last
 * byte of its answer, while one request of each of the other connections is under way too.
 */
#include "connection.h"
#include "host.h"
#include "touches.h"
#include "value.h"
#include "zipf.h"

#include <stdbool.h>

#define THETA	     0.99
#define SAVE_POLL_NS 2000000

enum pattern { GET_UNIFORM, GET_ZIPF, SET_UNIFORM };

static char out[BUFFER];
static uint64_t asked_at[CONNECTIONS];

static void expect_value(struct connection *c, uint64_t key)
{
	char value[VALUE_MAX], answer[VALUE_MAX + 32];
	size_t length = value_make(value, key);
	int n = snprintf(answer, sizeof(answer), "$%zu\r\n%s\r\n", length, value);

	connection_expect(c, answer, (size_t)n, key);
}

static size_t put_get(char *to, uint64_t key)
{
	return (size_t)sprintf(to, "*2\r\n$3\r\nGET\r\n$12\r\nkey:%08u\r\n", (unsigned)key);
}

static size_t put_set(char *to, uint64_t key)
{
	char value[VALUE_MAX];
	size_t length = value_make(value, key);

	return (size_t)sprintf(to, "*3\r\n$3\r\nSET\r\n$12\r\nkey:%08u\r\n$%zu\r\n%s\r\n",
			       (unsigned)key, length, value);
}

static void expect_ok(struct connection *c, uint64_t key)
{
	connection_expect(c, "+OK\r\n", 5, key);
}

/* One request is under way on each connection at a time, as independent clients would have it. */
static void ask(struct connection *all, enum pattern pattern, struct zipf *zipf, uint64_t count,
		struct touches *took)
{
	for (uint64_t done = 0; done < count; done += CONNECTIONS) {
		uint64_t asked[CONNECTIONS];

		for (int i = 0; i < CONNECTIONS; i++) {
			asked[i] = pattern == GET_ZIPF ? zipf_number(zipf)
						       : host_random(&zipf->state) % zipf->n;
			asked_at[i] = host_now();
			connection_send(&all[i], out,
					pattern == SET_UNIFORM ? put_set(out, asked[i])
							       : put_get(out, asked[i]));
		}
		for (int i = 0; i < CONNECTIONS; i++) {
			if (pattern == SET_UNIFORM)
				connection_expect(&all[i], "+OK\r\n", 5, asked[i]);
			else
				expect_value(&all[i], asked[i]);
			touches_note(took, host_now() - asked_at[i]);
		}
	}
}

static void print_rate(uint64_t count, uint64_t spent)
{
	printf("count=%llu\nseconds=%.3f\nper_s=%.0f\n", (unsigned long long)count,
	       (double)spent / 1e9, (double)count * 1e9 / (double)spent);
}

static void ask_and_print(struct connection *all, enum pattern pattern, uint64_t keys,
			  uint64_t count, uint64_t seed)
{
	uint64_t rounded = (count + CONNECTIONS - 1) / CONNECTIONS * CONNECTIONS, start;
	struct touches took;
	struct zipf zipf;

	zipf_start(&zipf, keys, THETA, seed);
	touches_make(&took, rounded);
	start = host_now();
	ask(all, pattern, &zipf, count, &took);
	print_rate(rounded, host_now() - start);
	touches_print(&took, 1);
	printf("\n");
}

/* What INFO says of `name`, as a number. */
static long info(struct connection *c, const char *name)
{
	const char question[] = "*2\r\n$4\r\nINFO\r\n$11\r\npersistence\r\n";
	const char *at;

	connection_send(c, question, sizeof(question) - 1);
	connection_receive(c);
	c->in[c->end < BUFFER ? c->end : BUFFER - 1] = '\0';
	c->start = c->end;
	at = strstr(c->in, name);
	if (!at)
		host_die(HOST_FAILED, "the server does not tell %s", name);
	return atol(at + strlen(name) + 1);
}

static void bgsave(struct connection *c)
{
	const char order[] = "*1\r\n$6\r\nBGSAVE\r\n";
	const char started[] = "+Background saving started\r\n";
	const struct timespec pause = {0, SAVE_POLL_NS};
	uint64_t start = host_now();

	connection_send(c, order, sizeof(order) - 1);
	connection_expect(c, started, sizeof(started) - 1, 0);
	printf("started_us=%.0f\n", (double)(host_now() - start) / 1e3);
	while (info(c, "rdb_bgsave_in_progress"))
		nanosleep(&pause, NULL);
	/* Not told unless the status is what it should be. */
	info(c, "rdb_last_bgsave_status:ok\r\nrdb_last_bgsave_time_sec");
	printf("seconds=%.3f\n", (double)(host_now() - start) / 1e9);
}

static _Noreturn void usage(void)
{
	host_die(HOST_USAGE, "usage: redis_client SOCKET load|verify KEYS\n"
			     "       redis_client SOCKET get|zipf|set KEYS COUNT [SEED]\n"
			     "       redis_client SOCKET bgsave");
}

static struct connection *connect_all(const char *path, int n)
{
	struct connection *all = calloc((size_t)n, sizeof(*all));

	if (!all)
		host_die(HOST_FAILED, "no memory for %d connections", n);
	for (int i = 0; i < n; i++)
		connection_open(&all[i], path);
	return all;
}

static void all_keys(const char *path, bool load, uint64_t keys)
{
	struct connection *one = connect_all(path, 1);
	uint64_t start = host_now();

	if (load)
		connection_each_key(one, keys, out, put_set, expect_ok);
	else
		connection_each_key(one, keys, out, put_get, expect_value);
	print_rate(keys, host_now() - start);
	free(one);
}

static void random_keys(char **argv, enum pattern pattern, uint64_t keys)
{
	struct connection *all = connect_all(argv[1], CONNECTIONS);
	uint64_t count = host_number(argv[4], "COUNT", UINT32_MAX);

	if (!count)
		usage();
	ask_and_print(all, pattern, keys, count,
		      argv[5] ? host_number(argv[5], "SEED", UINT32_MAX) : 1);
	free(all);
}

int main(int argc, char **argv)
{
	const char *const patterns[] = {"get", "zipf", "set"};
	uint64_t keys;

	if (argc == 3 && strcmp(argv[2], "bgsave") == 0) {
		struct connection *one = connect_all(argv[1], 1);

		bgsave(one);
		free(one);
		return HOST_OK;
	}
	if (argc < 4 || argc > 6 || !(keys = host_number(argv[3], "KEYS", 99999999)))
		usage();
	for (unsigned i = 0; argc > 4 && i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		if (strcmp(argv[2], patterns[i]) == 0) {
			random_keys(argv, (enum pattern)i, keys);
			return HOST_OK;
		}
	}
	if (argc != 4 || (strcmp(argv[2], "load") != 0 && strcmp(argv[2], "verify") != 0))
		usage();
	all_keys(argv[1], argv[2][0] == 'l', keys);
	return HOST_OK;
}
