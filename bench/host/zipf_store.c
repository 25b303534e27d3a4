/*
 * zipf_store - a key-value store inside the process: records from malloc behind a table, read with
 * a zipf 0.99 pattern and compared; every WRITES-th access replaces a record by a new one.
 */
#include "workload.h"
#include "value.h"
#include "zipf.h"

#define THETA	   0.99
#define NOTED	   (1u << 22)
#define NOTE_EACH  4u
#define GENERATION 100000000u

struct record {
	uint64_t made_as; /* value_make() number */
	char text[];
};

static uint64_t keys = 500000, writes = 20;
static struct record **table;
static struct touches took[WORKLOAD_WORKERS];
static struct zipf zipf;

static struct record *record_make(uint64_t number)
{
	char text[VALUE_MAX];
	size_t length = value_make(text, number);
	struct record *r = malloc(sizeof(*r) + length + 1);

	if (!r)
		host_die(HOST_FAILED, "no memory for a record");
	r->made_as = number;
	memcpy(r->text, text, length);
	r->text[length] = '\0';
	return r;
}

static void record_check(uint64_t key, const struct record *r)
{
	char text[VALUE_MAX];
	size_t length = value_make(text, r->made_as);

	if (r->made_as % GENERATION != key || memcmp(r->text, text, length) != 0 || r->text[length])
		host_die(HOST_WRONG_BYTES, "key %llu holds something else",
			 (unsigned long long)key);
}

/* Keys are dealt to the workers, so that no two touch one record. */
static void work(struct worker *w)
{
	uint64_t share = keys / w->workload->workers;
	struct touches *mine = &took[w->index];
	struct zipf z = zipf;

	z.state = w->seed;
	for (uint64_t now = w->start, after; now < w->deadline; now = after) {
		uint64_t key = zipf_number(&z) % share + w->index * share;

		if (w->done % writes == 0) {
			uint64_t next = table[key]->made_as + GENERATION;

			free(table[key]);
			table[key] = record_make(next);
		}
		record_check(key, table[key]);
		after = host_now();
		if (w->done++ % NOTE_EACH == 0)
			touches_note(mine, after - now);
	}
}

int main(int argc, char **argv)
{
	struct workload w = {.name = "zipf_store",
			     .about = "Reads records of a store, few of them often (zipf 0.99).",
			     .duration_sec = 20,
			     .workers = 1,
			     .seed = 12345};
	const struct workload_flag flags[] = {
	    {"keys", "records of 200 to 400 bytes", &keys, GENERATION - 1, NULL},
	    {"writes", "every so many accesses one is a write", &writes, UINT32_MAX, NULL},
	};
	struct worker did;

	workload_parse(&w, flags, 2, argc, argv);
	if (keys < w.workers || !writes)
		host_die(HOST_USAGE, "--keys: one for each worker; --writes: from 1");
	table = calloc(keys, sizeof(void *));
	for (uint64_t key = 0; table && key < keys; key++)
		table[key] = record_make(key);
	if (!table)
		host_die(HOST_FAILED, "no memory for the table");
	zipf_start(&zipf, keys, THETA, w.seed);
	for (unsigned i = 0; i < w.workers; i++)
		touches_make(&took[i], NOTED / w.workers);
	workload_ready(&w);
	did = workload_run(&w, work);
	for (uint64_t key = 0; key < keys; key++)
		record_check(key, table[key]);
	workload_print_touches(&w, did.done, (double)(did.deadline - did.start) / 1e9, took);
	return HOST_OK;
}
