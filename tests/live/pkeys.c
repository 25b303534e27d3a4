/*
 * Protection keys: who has no right to memory gets SEGV_PKUERR, and EFAULT of system calls, whether
 * it is packed or not; who has it again reads what was there. Behind the library's back too, where
 * memory gets its key while it is packed. The kernel has a key of its own for memory that may only be
 * executed.
 */
#include "host.h"
#include "support/ways.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>

#define LEN  (6 * MIB)
#define PART (LEN / 6)
#define RW   (PROT_READ | PROT_WRITE)

/* ---- faults -------------------------------------------------------------------------------- */

static __thread sigjmp_buf back;
static __thread volatile siginfo_t seen;

static void caught(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	seen.si_code = info->si_code;
	seen.si_addr = info->si_addr;
	seen.si_pkey = info->si_pkey;
	siglongjmp(back, 1);
}

static void catch_faults(void)
{
	struct sigaction a = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};

	HOST_CHECK(sigaction(SIGSEGV, &a, NULL) == 0);
}

enum access { READ, WRITE };

/*
 * The si_code of the fault; 0: none. After a fault the thread has no key any more, for a handler
 * begins without, and is left by a jump.
 */
static int touch(volatile char *at, enum access how)
{
	if (sigsetjmp(back, 1)) {
		HOST_CHECK(seen.si_addr == at);
		return seen.si_code;
	}
	if (how == WRITE)
		*at = 1;
	else
		(void)*at;
	return 0;
}

static void must_be_refused(char *at, enum access how, int key)
{
	int code = touch(at, how);

	if (code != SEGV_PKUERR || (int)seen.si_pkey != key)
		HOST_FAIL("%s without the right: si_code %d, key %d of %d",
			  how == WRITE ? "write" : "read", code, (int)seen.si_pkey, key);
}

/* ---- rights -------------------------------------------------------------------------------- */

static char *memory;
static int key, zeros, file;

static char *part(unsigned i)
{
	return memory + i * PART;
}

/* By its first touch, with all before it and after it as it was. */
static bool part_is_same(unsigned i)
{
	for (size_t p = i * PART; p < (i + 1) * PART; p += PAGE)
		if (!host_page_begins(memory, p, 1))
			return false;
	return true;
}

static void no_access(void)
{
	for (size_t at = 0; at < PART; at += PART / 4) {
		HOST_CHECK(pkey_set(key, PKEY_DISABLE_ACCESS) == 0);
		must_be_refused(part(0) + at, READ, key);
		must_be_refused(part(0) + at + PAGE, WRITE, key);
	}
	/* The kernel has no more rights than who asks it. */
	HOST_CHECK(pkey_set(key, PKEY_DISABLE_ACCESS) == 0);
	HOST_CHECK(write(file, part(0), PAGE) == -1 && errno == EFAULT);
	HOST_CHECK(read(zeros, part(0), PAGE) == -1 && errno == EFAULT);
	HOST_CHECK(pkey_set(key, 0) == 0);
	HOST_CHECK(part_is_same(0));
}

static void no_writing(void)
{
	HOST_CHECK(pkey_set(key, PKEY_DISABLE_WRITE) == 0);
	HOST_CHECK(part_is_same(1));
	HOST_CHECK(write(file, part(2), PART) == PART);
	HOST_CHECK(read(zeros, part(3), PAGE) == -1 && errno == EFAULT);
	must_be_refused(part(3), WRITE, key);
	HOST_CHECK(pkey_set(key, 0) == 0);
	HOST_CHECK(part_is_same(2) && part_is_same(3));
}

static void *stranger(void *unused)
{
	(void)unused;
	HOST_CHECK(pkey_set(key, PKEY_DISABLE_ACCESS) == 0);
	must_be_refused(part(4), READ, key);
	HOST_CHECK(pkey_set(key, 0) == 0);
	HOST_CHECK(part_is_same(4));
	return NULL;
}

/* Rights are each thread's own. */
static void others_have_none(void)
{
	pthread_t thread;

	HOST_CHECK(pthread_create(&thread, NULL, stranger, NULL) == 0);
	HOST_CHECK(pthread_join(thread, NULL) == 0);
}

/* A child begins with the rights of the thread that forked. */
static void children_inherit(void)
{
	pid_t pid;

	HOST_CHECK(pkey_set(key, PKEY_DISABLE_ACCESS) == 0);
	pid = fork();
	if (!pid) {
		must_be_refused(part(5), READ, key);
		HOST_CHECK(pkey_set(key, 0) == 0);
		HOST_CHECK(part_is_same(5));
		exit(5);
	}
	HOST_CHECK(host_reap(pid) == 5);
	HOST_CHECK(pkey_set(key, 0) == 0);
}

/* ---- keys ---------------------------------------------------------------------------------- */

static int give_key(enum way way, int k)
{
	if (way == WAY_LIBC)
		return pkey_mprotect(memory, LEN, RW, k);
	return (int)CALL(way, SYS_pkey_mprotect, memory, LEN, RW, k, 0, 0);
}

/* By the bare instruction it has its key while it is packed, and what then fails is not soon tried again. */
static void with_key(enum way way)
{
	memory = host_cold(LEN, 1);
	HOST_CHECK(give_key(way, key) == 0);
	no_access();
	no_writing();
	others_have_none();
	children_inherit();
	HOST_CHECK(host_same(memory, LEN, 1));
	host_fill(memory, LEN, 2);
	host_let_leave(memory, LEN);
	HOST_CHECK(host_same(memory, LEN, 2));
	/* Ordinary memory again. */
	HOST_CHECK(give_key(way, 0) == 0);
	HOST_CHECK(pkey_set(key, PKEY_DISABLE_ACCESS) == 0);
	if (way == WAY_BARE) {
		host_fill(memory, LEN, 3);
		host_let_leave(memory, LEN);
	} else {
		host_turn_cold(memory, LEN, 3);
	}
	HOST_CHECK(host_same(memory, LEN, 3));
	HOST_CHECK(pkey_set(key, 0) == 0);
}

/* Half of a mapping that is packed as a whole. */
static void with_key_in_part(enum way way)
{
	char *whole = host_cold(2 * LEN, 4);

	memory = whole + LEN / 2 + PAGE;
	HOST_CHECK(give_key(way, key) == 0);
	HOST_CHECK(pkey_set(key, PKEY_DISABLE_ACCESS) == 0);
	must_be_refused(memory, READ, key);
	HOST_CHECK(host_same(whole, LEN / 2, 4));
	must_be_refused(memory + LEN - PAGE, READ, key);
	HOST_CHECK(host_page_begins(whole, (size_t)(memory + LEN - whole), 4));
	HOST_CHECK(pkey_set(key, 0) == 0);
	HOST_CHECK(host_same(whole, 2 * LEN, 4));
	HOST_CHECK(give_key(way, 0) == 0);
}

/* A key that there is not is refused, and changes nothing. */
static void with_wrong_key(void)
{
	memory = host_cold(LEN, 1);
	HOST_CHECK(pkey_mprotect(memory, LEN, RW, 15) == -1 && errno == EINVAL);
	HOST_CHECK(pkey_mprotect(memory, LEN, RW, 1000) == -1 && errno == EINVAL);
	HOST_CHECK(pkey_mprotect(memory, LEN, PROT_READ, -1) == 0);
	HOST_CHECK(touch(memory, WRITE) == SEGV_ACCERR);
	HOST_CHECK(host_same(memory, LEN, 1));
}

/* Nothing is unmapped in between: each finds memory that nobody has tried in vain. */
static void with_keys(void)
{
	zeros = open("/dev/zero", O_RDONLY);
	file = memfd_create("file", MFD_CLOEXEC);
	HOST_CHECK(zeros >= 0 && file >= 0);
	with_wrong_key();
	for (enum way way = WAY_LIBC; way < WAYS; way++) {
		with_key(way);
		with_key_in_part(way);
	}
	HOST_CHECK(pkey_free(key) == 0);
}

/* ---- execution alone ------------------------------------------------------------------------ */

/* "mov $i, %eax; ret" at the beginning of each page */
static void write_code(char *at)
{
	for (uint32_t i = 0; i < LEN / PAGE; i++, at += PAGE) {
		at[0] = (char)0xb8;
		memcpy(at + 1, &i, sizeof(i));
		at[5] = (char)0xc3;
	}
}

static bool code_runs(char *at)
{
	for (int i = 0; i < (int)(LEN / PAGE); i += 7) {
		int (*number)(void) = (int (*)(void))(uintptr_t)(at + (size_t)i * PAGE);

		if (number() != i)
			return false;
	}
	return true;
}

static void executable_alone(void)
{
	static const int then[] = {PROT_READ, RW};

	for (unsigned i = 0; i < 2; i++) {
		char *at = host_map(LEN);

		write_code(at);
		host_let_leave(at, LEN);
		host_nap();
		HOST_CHECK(mprotect(at, LEN, PROT_EXEC) == 0);
		printf("execution alone: read %d", touch(at, READ));
		printf(", write %d\n", touch(at + PAGE, WRITE));
		HOST_CHECK(code_runs(at));
		HOST_CHECK(mprotect(at, LEN, then[i]) == 0);
		HOST_CHECK(touch(at, READ) == 0);
		HOST_CHECK(mprotect(at, LEN, PROT_READ | PROT_EXEC) == 0 && code_runs(at));
		for (uint32_t k = 0; k < LEN / PAGE; k++)
			HOST_CHECK(!memcmp(at + k * PAGE + 1, &k, sizeof(k)));
		HOST_CHECK(munmap(at, LEN) == 0);
	}
}

int main(void)
{
	char *at = host_cold(LEN, 1);

	catch_faults();
	executable_alone();
	key = pkey_alloc(0, 0);
	if (key >= 0)
		with_keys();
	else
		fprintf(stderr, "figure: no protection keys here (%s)\n", strerror(errno));
	HOST_CHECK(host_same(at, LEN, 1));
	return 0;
}
