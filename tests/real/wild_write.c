/*
 * wild_write HOW: a program that overwrites memory of the library, and then reads a packed page of its
 * own. It must not live to see a wrong byte: exit status 1 if it does, 3 if it reads what it wrote.
 *
 *   body   bytes of packed pages             word    the note of where its page is becomes zero
 *   slab   the books of the store            flip    one bit of that note
 *   staged the note says staging slot 0      same    one bit of that of a page of one word
 *   past   beyond the end of the store       left   bytes of pages that have left, and wait to be packed
 *   first  as body, the first thread gone    few    as body, and there may be three descriptors
 *
 * Waits for a line of input once its memory is filled: wild_write.sh then has it packed. With `left` it
 * waits until its memory has left by itself.
 */
#include "host.h"

#include <pthread.h>
#include <sys/resource.h>

#include "predicomp/segment.h"
#include "state/range.h"

#define LEN	(8 * MIB)
#define PAGE_AT (3 * MIB)

struct area {
	char *start, *end;
};

/* The segment of this process, where it is mapped. */
static const struct pc_segment *segment(void)
{
	size_t len;
	const struct pc_segment *s = (const void *)host_mapping("/memfd:" PC_SEGMENT_NAME, &len);

	HOST_CHECK(s && s->tables.self == (uint64_t)s);
	return s;
}

/* The pager's region that begins at `at`, and the one that was mapped `before` regions earlier. */
static struct area region(uint64_t at, unsigned before)
{
	const struct pc_segment *s = segment();
	uint32_t i = 0;

	while (i < s->own_count && s->own[i].start + PAGE != at)
		i++;
	HOST_CHECK(i < s->own_count && i >= before);
	return (struct area){(char *)s->own[i - before].start + PAGE,
			     (char *)s->own[i - before].end - PAGE};
}

/* pagerd/tables.c reserves the store's books just before the store. */
static struct area find(const char *what)
{
	return region(segment()->tables.store, !strcmp(what, "slabs"));
}

/* Every other byte of what is resident of the first 64 MiB. */
static void spoil(struct area a)
{
	for (char *at = a.start; at < a.end && at < a.start + 64 * MIB; at += PAGE) {
		unsigned char in = 0;

		HOST_CHECK(mincore(at, PAGE, &in) == 0);
		for (size_t i = 0; (in & 1) && i < PAGE; i += 2)
			at[i] = (char)~at[i];
	}
}

/* The unit of `at` in the tables, as pagerd/state/range.h lays them out. */
static struct unit *find_unit(const char *at)
{
	const struct pc_tables *t = &segment()->tables;
	struct unit *u = (void *)t->units;

	HOST_CHECK(t->unit_bytes == sizeof(*u));
	for (uint32_t i = 0; i < t->unit_max; i++)
		if (u[i].live && u[i].base == unit_floor((pc_addr)at))
			return &u[i];
	HOST_FAIL("there is no unit of %p", (const void *)at);
}

static page_word *find_word(const char *at)
{
	page_word *w = unit_word(find_unit(at), page_in_unit((pc_addr)at));

	HOST_CHECK(page_away(*w));
	return w;
}

/* Of every page of the unit of `at` that is in staging, in its slot. */
static void spoil_left(const char *at)
{
	struct unit *u = find_unit(at);
	unsigned staged = 0;

	for (unsigned i = 0; i < PC_UNIT_PAGES; i++) {
		page_word w = unit_peek(u, i);

		if (page_state(w) != PAGE_STAGED)
			continue;
		staged++;
		memset((char *)segment()->tables.staging + page_slot(w) * PAGE, 1, 8);
	}
	HOST_FAIL("%u pages that wait to be packed were overwritten", staged);
}

static void overwrite(const char *how, const char *at)
{
	if (!strcmp(how, "body") || !strcmp(how, "first") || !strcmp(how, "few"))
		spoil(find("store"));
	else if (!strcmp(how, "slab"))
		spoil(find("slabs"));
	else if (!strcmp(how, "word"))
		*find_word(at) = 0;
	else if (!strcmp(how, "flip") || !strcmp(how, "same"))
		*find_word(at) ^= 1ull << 20;
	else if (!strcmp(how, "staged"))
		*find_word(at) = page_make(PAGE_STAGED, 0);
	else if (!strcmp(how, "left"))
		spoil_left(at);
	else if (!strcmp(how, "past"))
		memset(find("store").end - 8, 0, 16);
	else
		HOST_CHECK(!"HOW");
}

static char *target;
static uint64_t first; /* of its words */

static int read_it(void)
{
	return *(volatile uint64_t *)target == first ? 3 : 1;
}

/* Goes on once the first thread has no descriptors any more. */
static void *outlive(void *unused)
{
	char path[64], to[8];

	snprintf(path, sizeof(path), "/proc/self/task/%d/fd/2", getpid());
	while (readlink(path, to, sizeof(to)) > 0)
		usleep(1000);
	exit(read_it());
	return unused;
}

static void leave_first(void)
{
	pthread_t t;

	HOST_CHECK(pthread_create(&t, NULL, outlive, NULL) == 0);
	pthread_exit(NULL);
}

int main(int argc, char **argv)
{
	const struct rlimit three = {3, 3};
	char *at = host_map(LEN), c;

	HOST_CHECK(argc == 2);
	target = at + PAGE_AT;
	host_fill(at, LEN, 3);
	if (!strcmp(argv[1], "same"))
		memset(target, 0x5a, PAGE);
	first = *(uint64_t *)target;
	printf("%ld\n", (long)target);
	fflush(stdout);
	HOST_CHECK(read(0, &c, 1) == 1);
	if (!strcmp(argv[1], "left"))
		HOST_CHECK(host_wait_absent(at, LEN, 60000));
	overwrite(argv[1], target);
	if (!strcmp(argv[1], "few"))
		HOST_CHECK(setrlimit(RLIMIT_NOFILE, &three) == 0);
	if (!strcmp(argv[1], "first"))
		leave_first();
	return read_it();
}
