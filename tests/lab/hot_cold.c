/*
 * hot_cold - 16 MB that are written all the time, 128 MB that never are again: how soon, how fully
 * and at what cost the cold part leaves, and whether the hot part stays.
 *
 * HOST_SECONDS bounds the wait for the cold part (default 300); HOST_SETTLE seconds (default 6)
 * follow, so that what is done to the hot part shows.
 *
 * Prints one line of name=value, in pages and milliseconds. The cold part is not touched before all
 * is counted: whatever came back from the store until then was hot.
 */
#include "../live/host.h"

#include "predicomp/predicomp.h"

#define HOT  (16 * MIB)
#define COLD (128 * MIB)

static uint64_t counter(const char *name)
{
	uint64_t value = 0;

	HOST_CHECK(!predicomp_loaded() || predicomp_counter(name, &value) == 0);
	return value;
}

/* One store in each page; a lap is far shorter than any cold age. */
static void lap(volatile uint64_t *hot)
{
	for (size_t i = 0; i < HOT / 8; i += PAGE / 8)
		hot[i + 1]++;
}

static uint64_t laps_until(volatile uint64_t *hot, uint64_t ms)
{
	uint64_t laps = 0;

	do
		lap(hot);
	while (++laps && host_now_ms() < ms);
	return laps;
}

static void fill(char *cold, char *hot)
{
	for (size_t done = 0; done < COLD; done += MIB) {
		host_fill(cold + done, MIB, done);
		lap((void *)hot);
	}
}

static void check(const char *cold, const uint64_t *hot, uint64_t laps)
{
	for (size_t done = 0; done < COLD; done += MIB)
		HOST_CHECK(host_same(cold + done, MIB, done));
	for (size_t i = 0; i < HOT / 8; i += PAGE / 8)
		HOST_CHECK(hot[i] == host_word(7, i) && hot[i + 1] == host_word(7, i + 1) + laps);
}

/* CPU time of a kernel thread, in clock ticks; 0 when there is none. */
static unsigned long ticks_of(long pid)
{
	char path[64], text[512];
	unsigned long user = 0, system = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (!fgets(text, sizeof(text), f) ||
	    sscanf(strrchr(text, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
		   &user, &system) != 2)
		user = system = 0;
	fclose(f);
	return user + system;
}

static long kdamond(void)
{
	FILE *f = fopen("/sys/kernel/mm/damon/admin/kdamonds/0/pid", "r");
	long pid = -1;

	if (f && fscanf(f, "%ld", &pid) != 1)
		pid = -1;
	if (f)
		fclose(f);
	return pid;
}

int main(void)
{
	char *hot = host_map(HOT), *cold = host_map(COLD);
	uint64_t start, packed, laps = COLD / MIB, settle;
	uint64_t until = (uint64_t)host_number("HOST_SECONDS", 300) * 1000;
	const size_t enough = COLD / PAGE / 100 * 95;
	size_t absent, hot_absent;
	unsigned long kdamond_ms;

	host_fill(hot, HOT, 7);
	fill(cold, hot);
	start = host_now_ms();
	do
		laps += laps_until((void *)hot, host_now_ms() + 50);
	while (counter("pages_evicted") < enough && host_now_ms() - start < until);
	packed = host_now_ms() - start;
	settle = (uint64_t)host_number("HOST_SETTLE", 6) * 1000;
	laps += laps_until((void *)hot, host_now_ms() + settle);
	absent = host_absent(cold, COLD);
	hot_absent = host_absent(hot, HOT);
	kdamond_ms = ticks_of(kdamond()) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK);
	printf("cold=%zu hot=%zu packed=%lu cold_away=%zu hot_away=%zu restored=%lu tried=%lu "
	       "refaults=%lu to_pack=%lu work_cpu=%lu pager_cpu=%lu kdamond_cpu=%lu snapshots=%lu "
	       "regions=%lu lap=%lu\n",
	       COLD / PAGE, HOT / PAGE, counter("pages_evicted"), absent, hot_absent,
	       counter("pages_restored"), counter("give_back_pages"), counter("refaults"), packed,
	       counter("work_cpu") / 1000000, counter("pager_cpu") / 1000000, kdamond_ms,
	       counter("damon_snapshots"), counter("damon_regions"), laps);
	fflush(stdout);
	check(cold, (void *)hot, laps);
	return 0;
}
