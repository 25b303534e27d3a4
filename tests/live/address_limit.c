/*
 * A program limits its own memory, in each way that there is, and then takes what the limit leaves
 * it: what somebody else has reserved in its address space would count against it.
 */
#include "host.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define LEN   (4 * MIB)
#define LIMIT (1ul << 30)
#define WANT  (256 * MIB)

static struct rlimit limit_of(int resource)
{
	struct rlimit limit;

	HOST_CHECK(getrlimit(resource, &limit) == 0);
	limit.rlim_cur = LIMIT;
	return limit;
}

static int by_setrlimit(int resource)
{
	struct rlimit limit = limit_of(resource);

	return setrlimit(resource, &limit);
}

static int by_prlimit(int resource)
{
	struct rlimit limit = limit_of(resource);

	return prlimit(0, resource, &limit, NULL);
}

static int by_number(int resource)
{
	struct rlimit limit = limit_of(resource);

	return (int)syscall(SYS_prlimit64, 0, resource, &limit, NULL);
}

static int by_old_number(int resource)
{
	struct rlimit limit = limit_of(resource);

	return (int)syscall(SYS_setrlimit, resource, &limit);
}

static void *limit_by_own_number(void *resource)
{
	struct rlimit limit = limit_of(*(int *)resource);

	HOST_CHECK(prlimit((pid_t)syscall(SYS_gettid), *(int *)resource, &limit, NULL) == 0);
	return NULL;
}

/* A thread that is not the first names the process by its own number. */
static int by_thread(int resource)
{
	pthread_t thread;

	HOST_CHECK(pthread_create(&thread, NULL, limit_by_own_number, &resource) == 0);
	return pthread_join(thread, NULL);
}

/* What is only asked for, or is of another kind, changes nothing. */
static void stays_managed(char *at)
{
	struct rlimit limit;

	HOST_CHECK(prlimit(0, RLIMIT_AS, NULL, &limit) == 0);
	HOST_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
	HOST_CHECK(getrlimit(RLIMIT_CORE, &limit) == 0);
	HOST_CHECK(setrlimit(RLIMIT_CORE, &limit) == 0);
	host_turn_cold(at, LEN, 2);
	HOST_CHECK(host_same(at, LEN, 2));
}

/* In a child, for a limit cannot be lived without again. */
static void limited(int (*lower)(int), int resource)
{
	pid_t child = fork();

	if (!child) {
		char *at = host_cold(LEN, 3), *more;

		HOST_CHECK(lower(resource) == 0);
		more = host_map(WANT);
		host_fill(more, LEN, 4);
		host_nap();
		HOST_CHECK(host_same(more, LEN, 4));
		HOST_CHECK(host_same(at, LEN, 3));
		_exit(0);
	}
	HOST_CHECK(host_reap(child) == 0);
}

int main(void)
{
	struct rlimit limit;
	char *at = host_cold(LEN, 1);

	HOST_CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
	if (limit.rlim_cur != RLIM_INFINITY)
		HOST_SKIP("the address space is limited already");
	stays_managed(at);
	limited(by_setrlimit, RLIMIT_AS);
	limited(by_prlimit, RLIMIT_AS);
	limited(by_number, RLIMIT_AS);
	limited(by_old_number, RLIMIT_AS);
	limited(by_thread, RLIMIT_AS);
	limited(by_setrlimit, RLIMIT_DATA);
	return 0;
}
