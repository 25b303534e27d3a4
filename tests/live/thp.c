/* Huge pages are taken apart, put back as small ones, and made huge again. */
#include "host.h"

#define HUGE (2 * MIB)
#define LEN  (8 * HUGE)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static char *huge_map(void)
{
	char *at = host_map(LEN + HUGE);

	at += -(uintptr_t)at % HUGE;
	HOST_CHECK(madvise(at, LEN, MADV_HUGEPAGE) == 0);
	return at;
}

static bool never(void)
{
	char line[128] = "";
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");

	if (!f)
		return true;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	return strstr(line, "[never]") != NULL;
}

/* May fail where no huge page is free; contents must hold either way. */
static void collapse(char *at)
{
	if (madvise(at, LEN, MADV_COLLAPSE))
		HOST_CHECK(errno == EAGAIN || errno == ENOMEM || errno == EBUSY || errno == EINVAL);
}

int main(void)
{
	char *at;

	if (never())
		HOST_SKIP("transparent huge pages are switched off");
	at = huge_map();
	host_turn_cold(at, LEN, 1);
	for (unsigned i = 0; i < 4; i++) {
		host_let_leave(at, LEN);
		for (size_t n = i % 2 ? PAGE : 0; n < LEN; n += 2 * PAGE)
			HOST_CHECK(host_page_begins(at, n, 1));
		collapse(at);
		HOST_CHECK(host_same(at, LEN, 1));
		host_fill(at, LEN, 1);
	}
	HOST_CHECK(madvise(at + HUGE / 2, HUGE, MADV_DONTNEED) == 0);
	HOST_CHECK(host_zero(at + HUGE / 2, HUGE));
	for (size_t n = 2 * HUGE; n < LEN; n += PAGE)
		HOST_CHECK(host_page_begins(at, n, 1));
	return 0;
}
