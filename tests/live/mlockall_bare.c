/*
 * All memory is locked in a way that no hook sees, as JNA and ctypes do it: what is packed comes back, and
 * nothing else. What somebody else has reserved in the address space is not filled, and what is taken
 * afterwards is as it was written. Then all is unlocked, and locked again some times while it leaves.
 */
#include "host.h"

#include <sys/syscall.h>

#define LEN    (24 * MIB)
#define LARGE  (96 * MIB) /* more than anything here uses */
#define ENOUGH (64 * MIB) /* for what the library has begun to use, in steps */

/* Field `name` of /proc/self/status, in bytes. */
static size_t status(const char *name)
{
	size_t kib = 0;
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");

	HOST_CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			kib = strtoul(line + strlen(name) + 1, NULL, 10);
	fclose(f);
	return kib * 1024;
}

/* Filling it would take the machine down with the program: it is looked for first. */
static void check_nothing_large_can_be_written(void)
{
	unsigned long start, end;
	char line[512], w;
	FILE *maps = fopen("/proc/self/maps", "r");

	HOST_CHECK(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %*c%c", &start, &end, &w) == 3 && w == 'w' &&
		    end - start > LARGE)
			HOST_FAIL("%lu MiB could be filled: %s", (end - start) / MIB, line);
	fclose(maps);
}

static void lock_all(void)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"((long)SYS_mlockall), "D"((long)(MCL_CURRENT | MCL_FUTURE))
			 : "rcx", "r11", "memory");
	if (result == -ENOMEM || result == -EPERM)
		HOST_SKIP("this user may not lock all memory");
	HOST_CHECK(result == 0);
}

/* As soon as some of it is on its way out: the pager then finds its own memory locked as well. */
static void lock_what_is_leaving(char *at)
{
	const uint64_t until = host_now_ms() + (uint64_t)host_number("HOST_PATIENCE_MS", 50) / 10;

	while (host_absent(at, LEN) == 0 && host_now_ms() < until)
		host_sleep_ms(1);
	lock_all();
	HOST_CHECK(host_absent(at, LEN) == 0);
	HOST_CHECK(munlockall() == 0);
}

int main(void)
{
	char *at = host_cold(LEN, 1), *later;
	size_t before = status("VmRSS:");

	check_nothing_large_can_be_written();
	lock_all();
	HOST_CHECK(host_absent(at, LEN) == 0);
	HOST_CHECK(host_same(at, LEN, 1));
	if (status("VmRSS:") > before + LEN + ENOUGH)
		HOST_FAIL("%zu MiB resident after %zu", status("VmRSS:") / MIB, before / MIB);
	later = host_map(LEN);
	host_fill(later, LEN, 2);
	host_nap();
	HOST_CHECK(host_absent(at, LEN) == 0 && host_absent(later, LEN) == 0);
	HOST_CHECK(munlockall() == 0);
	for (int i = 0; i < 8; i++)
		lock_what_is_leaving(at);
	host_let_leave(at, LEN);
	HOST_CHECK(host_same(at, LEN, 1) && host_same(later, LEN, 2));
	return 0;
}
