/* What a child must not inherit it does not inherit, though it had left memory when it was marked.
 */
#include "host.h"
#include "support/ways.h"

#include <setjmp.h>
#include <sys/syscall.h>

#define LEN (4 * MIB)

static sigjmp_buf out_of_fault;

static void on_fault(int number)
{
	siglongjmp(out_of_fault, number);
}

static bool is_mapped(const char *at)
{
	signal(SIGSEGV, on_fault);
	if (sigsetjmp(out_of_fault, 1))
		return false;
	return *(const volatile char *)at || true;
}

static char *kept, *wiped, *hidden;

static void child(void)
{
	HOST_CHECK(host_same(kept, LEN, 1));
	HOST_CHECK(host_zero(wiped, LEN));
	HOST_CHECK(!is_mapped(hidden));
	HOST_CHECK(!is_mapped(hidden + LEN - PAGE));
	host_nap();
	HOST_CHECK(host_zero(wiped, LEN));
}

static void generation(void)
{
	pid_t pid = fork();

	HOST_CHECK(pid >= 0);
	if (pid == 0) {
		child();
		_exit(0);
	}
	HOST_CHECK(host_reap(pid) == 0);
	HOST_CHECK(host_same(kept, LEN, 1));
	HOST_CHECK(host_same(wiped, LEN, 2));
	HOST_CHECK(host_same(hidden, LEN, 3));
}

/* A fork that nobody sees: what the pager keeps from such children is none of what is wiped. */
static void unseen(void)
{
	pid_t pid = (pid_t)bare6(SYS_fork, 0, 0, 0, 0, 0, 0);

	HOST_CHECK(pid >= 0);
	if (pid == 0)
		_exit(is_mapped(wiped) && host_zero(wiped, LEN) ? 0 : 1);
	HOST_CHECK(host_reap(pid) == 0);
}

static void inherits_again(void)
{
	pid_t pid;

	HOST_CHECK(madvise(wiped, LEN, MADV_KEEPONFORK) == 0);
	HOST_CHECK(madvise(hidden, LEN, MADV_DOFORK) == 0);
	host_nap();
	pid = fork();
	if (pid == 0) {
		HOST_CHECK(host_same(wiped, LEN, 2));
		HOST_CHECK(host_same(hidden, LEN, 3));
		_exit(0);
	}
	HOST_CHECK(host_reap(pid) == 0);
}

int main(void)
{
	kept = host_cold(LEN, 1);
	wiped = host_cold(LEN, 2);
	hidden = host_cold(LEN, 3);
	HOST_CHECK(madvise(wiped, LEN, MADV_WIPEONFORK) == 0);
	HOST_CHECK(madvise(hidden, LEN, MADV_DONTFORK) == 0);
	for (unsigned i = 0; i < 3; i++) {
		host_nap();
		unseen();
		generation();
	}
	inherits_again();
	return 0;
}
