/*
 * bench_uffd [--json] - what the kernel asks for each step of a page's way out and back, by the
 * pager's own wrappers: UFFDIO_MOVE and UFFDIO_COPY by batch, registering a unit, a fault answered
 * from this CPU and from another, and a restore by how many neighbours come with it.
 *
 * Medians over ROUNDS; ns for a page, or for a call where the row says so.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/types.h"
#include "kernel/uffd.h"
#include "state/codec.h"
#include "timing.h"

#define UNIT	  PC_UNIT
#define PAGES	  PC_UNIT_PAGES
#define ROUNDS	  31u
#define MOST_ROWS 64u

struct row {
	char what[64];
	double ns;
};

/* One thread that answers the faults of another. */
struct server {
	pthread_t thread;
	int cpu, stop[2]; /* stop: a pipe */
	unsigned width;	  /* pages restored on one fault */
	const unsigned char *packed;
	unsigned packed_len;
};

static struct uffd uffd;
static unsigned char *region, *staging;
static struct row rows[MOST_ROWS];
static unsigned row_count;

_Noreturn static void die(const char *why)
{
	fprintf(stderr, "bench_uffd: %s\n", why);
	exit(1);
}

static pc_addr address(const void *p)
{
	return (pc_addr)(uintptr_t)p;
}

/* A unit of address space; `beyond` bytes above a multiple of 2 MiB. */
static unsigned char *map_unit(size_t beyond)
{
	unsigned char *at = mmap(NULL, 3 * UNIT, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uintptr_t start;

	if (at == MAP_FAILED)
		die("no memory");
	start = ((uintptr_t)at + UNIT - 1) / UNIT * UNIT + beyond;
	madvise(at, 3 * UNIT, MADV_NOHUGEPAGE);
	return at + (start - (uintptr_t)at);
}

static void add_row(const char *what, unsigned n, uint64_t *ns, double divisor)
{
	struct row *r = &rows[row_count++];
	const size_t middle = ROUNDS / 2;

	qsort(ns, ROUNDS, sizeof(*ns), by_value);
	snprintf(r->what, sizeof(r->what), what, n);
	r->ns = (double)ns[middle] / divisor;
}

/* Half a page that packs, half that does not. */
static void fill(unsigned char *page, uint64_t seed)
{
	memset(page, (int)seed, PC_PAGE);
	for (size_t i = 0; i < PC_PAGE / 2; i += 8) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		memcpy(page + i, &seed, 4);
	}
}

static void fill_region(void)
{
	for (size_t i = 0; i < PAGES; i++)
		fill(region + i * PC_PAGE, i + 1);
}

static void empty(void)
{
	uffd_unregister(&uffd, address(region), address(region) + UNIT);
	if (madvise(region, UNIT, MADV_DONTNEED) != 0)
		die("MADV_DONTNEED failed");
}

static void must_register(void)
{
	if (uffd_register(&uffd, address(region), address(region) + UNIT) != 0)
		die("the region cannot be registered");
}

/* --- steps ------------------------------------------------------------------------------------ */

static void move_all(unsigned char *to, unsigned char *from, unsigned batch)
{
	uint64_t bytes = (uint64_t)batch * PC_PAGE, done;
	int error;

	for (uint64_t at = 0; at < UNIT; at += bytes) {
		if (uffd_move(&uffd, address(to) + at, address(from) + at, bytes, &done, &error) !=
		    UFFD_DONE)
			die("UFFDIO_MOVE failed");
	}
}

/* Out to staging and back again: both directions are the same call. */
static void bench_move(unsigned batch)
{
	uint64_t out[ROUNDS], back[ROUNDS];

	empty();
	fill_region();
	must_register();
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t start = now();

		move_all(staging, region, batch);
		out[i] = now() - start;
		start = now();
		move_all(region, staging, batch);
		back[i] = now() - start;
	}
	add_row("take by UFFDIO_MOVE, %u pages a call", batch, out, PAGES);
	add_row("give back by UFFDIO_MOVE, %u pages a call", batch, back, PAGES);
}

static void bench_copy(unsigned batch)
{
	uint64_t ns[ROUNDS], bytes = (uint64_t)batch * PC_PAGE, done;
	unsigned char *from = map_unit(0);
	int error;

	memset(from, 1, UNIT);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t start;

		empty();
		must_register();
		start = now();
		for (uint64_t at = 0; at < UNIT; at += bytes) {
			if (uffd_copy(&uffd, address(region) + at, from + at, bytes, true, &done,
				      &error) != UFFD_DONE)
				die("UFFDIO_COPY failed");
		}
		ns[i] = now() - start;
	}
	add_row("fill by UFFDIO_COPY, %u pages a call", batch, ns, PAGES);
}

static void bench_register(void)
{
	uint64_t in[ROUNDS], out[ROUNDS];

	empty();
	fill_region();
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t start = now();

		must_register();
		in[i] = now() - start;
		start = now();
		uffd_unregister(&uffd, address(region), address(region) + UNIT);
		out[i] = now() - start;
	}
	add_row("register %u MiB, a call", 2, in, 1);
	add_row("unregister %u MiB, a call", 2, out, 1);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		die("a thread cannot be pinned");
}

/*
 * The faulting page first and woken, then its neighbours, each unpacked as a real one is. Whoever
 * waits for one of them by then is woken in the end.
 */
static void answer(const struct server *s, pc_addr fault)
{
	unsigned char page[PC_PAGE];
	uint64_t done;
	int error;
	pc_addr end = PC_MIN(fault + (uint64_t)s->width * PC_PAGE, address(region) + UNIT);

	for (pc_addr at = fault; at < end; at += PC_PAGE) {
		if (codec_unpack(s->packed, s->packed_len, page) != 0)
			die("a page does not unpack");
		uffd_copy(&uffd, at, page, PC_PAGE, at == fault, &done, &error);
	}
	uffd_wake(&uffd, fault, end);
}

static void *serve(void *argument)
{
	struct server *s = argument;
	struct pollfd wait[] = {{.fd = uffd.fd, .events = POLLIN},
				{.fd = s->stop[0], .events = POLLIN}};
	struct uffd_event event;

	pin(s->cpu);
	for (;;) {
		poll(wait, 2, -1);
		if (wait[1].revents)
			return NULL;
		while (uffd_read(&uffd, &event) == 1) {
			if (event.kind == UFFD_FAULT)
				answer(s, event.start);
		}
	}
}

static void bench_fault(const char *what, int cpu, unsigned width, const unsigned char *packed,
			unsigned packed_len)
{
	struct server s = {.cpu = cpu, .width = width, .packed = packed, .packed_len = packed_len};
	uint64_t ns[ROUNDS], sum = 0;

	if (pipe(s.stop) != 0 || pthread_create(&s.thread, NULL, serve, &s) != 0)
		die("no thread");
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t start;

		empty();
		must_register();
		start = now();
		for (uint64_t at = 0; at < UNIT; at += PC_PAGE)
			sum += *(volatile unsigned char *)(region + at);
		ns[i] = now() - start;
	}
	if (write(s.stop[1], &sum, 1) != 1)
		die("a pipe is broken");
	pthread_join(s.thread, NULL);
	close(s.stop[0]);
	close(s.stop[1]);
	add_row(what, width, ns, PAGES);
}

static void bench_faults(void)
{
	unsigned char page[PC_PAGE], packed[PC_PAGE];
	struct codec_state codec;
	unsigned len;
	uint32_t word;
	bool two = sysconf(_SC_NPROCESSORS_ONLN) > 1;

	fill(page, 1);
	codec_start(&codec);
	if (codec_pack(&codec, page, packed, codec_keep_below(5), &len, &word) != CODEC_PACKED)
		die("the page does not pack");
	pin(0);
	for (unsigned width = 1; width <= 64; width *= 2)
		bench_fault("restore from this CPU, %u pages a fault", 0, width, packed, len);
	for (unsigned width = 1; two && width <= 64; width *= 2)
		bench_fault("restore from another CPU, %u pages a fault", 1, width, packed, len);
}

/* --- printing --------------------------------------------------------------------------------- */

static void print(bool json)
{
	printf(json ? "{\n  \"unit\": \"ns\", \"rounds\": %u,\n  \"results\": [\n"
		    : "ns for a page where no call is named, median of %u rounds over 512 pages\n",
	       ROUNDS);
	for (unsigned i = 0; i < row_count; i++) {
		if (json)
			printf("    {\"what\": \"%s\", \"ns\": %.1f}%s\n", rows[i].what, rows[i].ns,
			       i + 1 < row_count ? "," : "");
		else
			printf("%-48s %10.0f\n", rows[i].what, rows[i].ns);
	}
	if (json)
		puts("  ]\n}");
}

int main(int argc, char **argv)
{
	static const unsigned batches[] = {1, 8, 64, 256};
	bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
	int error;

	if (argc > 1 && !json) {
		fputs("usage: bench_uffd [--json]\n", stderr);
		return 2;
	}
	error = uffd_open(&uffd);
	if (error) {
		printf("SKIP: no userfaultfd: %s\n", strerror(-error));
		return 77;
	}
	region = map_unit(0);
	staging = map_unit(PC_PAGE);
	if (uffd_register(&uffd, address(staging), address(staging) + UNIT) != 0)
		die("staging cannot be registered");
	for (size_t i = 0; i < PC_ARRAY_LEN(batches); i++)
		bench_move(batches[i]);
	for (size_t i = 0; i < PC_ARRAY_LEN(batches); i++)
		bench_copy(batches[i]);
	bench_register();
	bench_faults();
	print(json);
	return 0;
}
