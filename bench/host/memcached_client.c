/*
 * memcached_client SOCKET load KEYS               stores KEYS JSON-like values of 200 to 400 bytes
 * memcached_client SOCKET get KEYS COUNT [SEED]   COUNT gets, uniform over KEYS, on 32 connections
 * memcached_client SOCKET verify KEYS             reads every value back
 *
 * As redis_client: every answer is compared, byte for byte, with what must have been stored, and a
 * miss is an error. Prints name=value lines.
 */
#include "connection.h"
#include "host.h"
#include "touches.h"
#include "value.h"

static char out[BUFFER];
static uint64_t asked_at[CONNECTIONS];

static size_t put_set(char *to, uint64_t key)
{
	char value[VALUE_MAX];
	size_t length = value_make(value, key);

	return (size_t)sprintf(to, "set key:%08u 0 0 %zu\r\n%s\r\n", (unsigned)key, length, value);
}

static size_t put_get(char *to, uint64_t key)
{
	return (size_t)sprintf(to, "get key:%08u\r\n", (unsigned)key);
}

static void expect_value(struct connection *c, uint64_t key)
{
	char value[VALUE_MAX], answer[VALUE_MAX + 64];
	size_t length = value_make(value, key);
	int n = snprintf(answer, sizeof(answer), "VALUE key:%08u 0 %zu\r\n%s\r\nEND\r\n",
			 (unsigned)key, length, value);

	connection_expect(c, answer, (size_t)n, key);
}

static void expect_stored(struct connection *c, uint64_t key)
{
	connection_expect(c, "STORED\r\n", 8, key);
}

static void get(struct connection *all, uint64_t keys, uint64_t count, uint64_t seed,
		struct touches *took)
{
	for (uint64_t done = 0; done < count; done += CONNECTIONS) {
		uint64_t asked[CONNECTIONS];

		for (int i = 0; i < CONNECTIONS; i++) {
			asked[i] = host_random(&seed) % keys;
			asked_at[i] = host_now();
			connection_send(&all[i], out, put_get(out, asked[i]));
		}
		for (int i = 0; i < CONNECTIONS; i++) {
			expect_value(&all[i], asked[i]);
			touches_note(took, host_now() - asked_at[i]);
		}
	}
}

static void get_and_print(struct connection *all, uint64_t keys, uint64_t count, uint64_t seed)
{
	uint64_t rounded = (count + CONNECTIONS - 1) / CONNECTIONS * CONNECTIONS, start;
	struct touches took;

	touches_make(&took, rounded);
	start = host_now();
	get(all, keys, count, seed, &took);
	printf("count=%llu\nper_s=%.0f\n", (unsigned long long)rounded,
	       host_per_second(rounded, host_now() - start));
	touches_print(&took, 1);
	printf("\n");
}

static _Noreturn void usage(void)
{
	host_die(HOST_USAGE, "usage: memcached_client SOCKET load|verify KEYS\n"
			     "       memcached_client SOCKET get KEYS COUNT [SEED]");
}

int main(int argc, char **argv)
{
	struct connection *all = calloc(CONNECTIONS, sizeof(*all));
	uint64_t keys, start = host_now();

	if (argc < 4 || argc > 6 || !all || !(keys = host_number(argv[3], "KEYS", 99999999)))
		usage();
	for (int i = 0; i < (argc == 4 ? 1 : CONNECTIONS); i++)
		connection_open(&all[i], argv[1]);
	if (argc == 4 && strcmp(argv[2], "load") == 0)
		connection_each_key(all, keys, out, put_set, expect_stored);
	else if (argc == 4 && strcmp(argv[2], "verify") == 0)
		connection_each_key(all, keys, out, put_get, expect_value);
	else if (argc > 4 && strcmp(argv[2], "get") == 0)
		get_and_print(all, keys, host_number(argv[4], "COUNT", UINT32_MAX),
			      argc == 6 ? host_number(argv[5], "SEED", UINT32_MAX) : 1);
	else
		usage();
	if (argc == 4)
		printf("count=%llu\nper_s=%.0f\n", (unsigned long long)keys,
		       host_per_second(keys, host_now() - start));
	free(all);
	return HOST_OK;
}
