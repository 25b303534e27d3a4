/*
 * One of many threads puts a filter on all of them (SECCOMP_FILTER_FLAG_TSYNC) while memory is packed:
 * the call finds no thread in its way, no thread is without the filter afterwards, and nobody makes a
 * call that it forbids, not even for the pages that the others are reading just then.
 */
#include "host.h"
#include "support/forbid.h"
#include "support/tasks.h"

#include <pthread.h>
#include <stdatomic.h>

#define LEN	(8 * MIB)
#define THREADS 12

#ifndef SECCOMP_FILTER_FLAG_TSYNC_ESRCH
#define SECCOMP_FILTER_FLAG_TSYNC_ESRCH (1ul << 4)
#endif

static char *memory;
static _Atomic bool enough;
static _Atomic unsigned rounds[THREADS];

static int on_all(struct sock_fprog *filter)
{
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
			    filter);
}

static int on_all_or_esrch(struct sock_fprog *filter)
{
	const unsigned long flags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH;

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, filter);
}

/* A thread of every kind: one reads, one writes what is its own, one has libc map and unmap. */
static void *live_on(void *arg)
{
	const unsigned n = (unsigned)(uintptr_t)arg;
	char *own = host_map(LEN / THREADS);

	for (; !enough; rounds[n]++) {
		if (n % 3 == 0)
			HOST_CHECK(
			    host_page_begins(memory, rounds[n] * 7 % (LEN / PAGE) * PAGE, 1));
		if (n % 3 == 1) {
			host_fill(own, LEN / THREADS, n);
			HOST_CHECK(host_same(own, LEN / THREADS, n));
		}
		if (n % 3 == 2)
			free(calloc(1, MIB));
		host_sleep_ms(n % 3);
	}
	return NULL;
}

/* Tells how many threads have no filter. */
static unsigned unfiltered(void)
{
	DIR *d = tasks_open();
	const char *task;
	unsigned n = 0;

	while ((task = tasks_next(d))) {
		char line[256];
		FILE *f = task_status(task);

		HOST_CHECK(f);
		while (fgets(line, sizeof(line), f))
			n += !strncmp(line, "Seccomp:", 8) && !strchr(line, '2');
		fclose(f);
	}
	closedir(d);
	return n;
}

static void each_goes_on(void)
{
	for (unsigned i = 0; i < THREADS; i++) {
		unsigned before = rounds[i];

		while (rounds[i] < before + 3)
			host_sleep_ms(1);
	}
}

static void *install_it(void *install)
{
	int (*const *way)(struct sock_fprog *) = install;

	HOST_CHECK(forbid(*way) == 0);
	HOST_CHECK(unfiltered() == 0);
	/* A second one on top, as sandboxes do. */
	HOST_CHECK(forbid(*way) == 0);
	return NULL;
}

static void have_a_child(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(host_same(memory, LEN, 1) ? 3 : 1);
	HOST_CHECK(host_reap(pid) == 3);
}

static void filtered(int (*way)(struct sock_fprog *))
{
	pthread_t t[THREADS], installer;

	memory = host_cold(LEN, 1);
	for (uintptr_t i = 0; i < THREADS; i++)
		HOST_CHECK(pthread_create(&t[i], NULL, live_on, (void *)i) == 0);
	each_goes_on();
	HOST_CHECK(pthread_create(&installer, NULL, install_it, &way) == 0);
	HOST_CHECK(pthread_join(installer, NULL) == 0);
	each_goes_on();
	HOST_CHECK(unfiltered() == 0);
	HOST_CHECK(host_same(memory, LEN, 1));
	have_a_child();
	enough = true;
	for (unsigned i = 0; i < THREADS; i++)
		HOST_CHECK(pthread_join(t[i], NULL) == 0);
	HOST_CHECK(host_same(memory, LEN, 1));
}

static void in_a_child(int (*way)(struct sock_fprog *))
{
	pid_t pid = fork();

	if (!pid) {
		filtered(way);
		exit(4);
	}
	HOST_CHECK(host_reap(pid) == 4);
}

int main(void)
{
	char *at = host_cold(LEN, 2);

	in_a_child(on_all);
	in_a_child(on_all_or_esrch);
	HOST_CHECK(host_same(at, LEN, 2));
	return 0;
}
