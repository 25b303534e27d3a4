/*
 * events [crowded] - every fault of a process as an event: none is lost, each thread's come in the
 * order in which they happened, and those of a thread that stops faulting do not wait for its next.
 *
 * A child touches fresh pages when it is told to. First many at once, which leave the kernel in
 * batches; then one at a time, and the next only when the one before has been heard of. With
 * `crowded` this process is followed too, and has the place that the child's record would have.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bpf/faults.h"
#include "bpf/session.h"
#include "test.h"

#define PAGE	 4096ul
#define MANY	 5000ul
#define SINGLE	 12ul
#define PAGES	 (MANY + SINGLE)
#define BYTES	 (PAGES * PAGE)
#define PATIENCE 30 /* seconds; a tenth of one is what it takes */

/* What has been heard of the child's pages. */
struct heard {
	uint64_t start;
	unsigned long pages; /* those below have come, one after the other */
	unsigned long wrong;
};

static void hear(void *arg, const struct fault_event *event)
{
	struct heard *h = arg;

	if (event->address < h->start || event->address >= h->start + BYTES)
		return;
	if (event->address != h->start + h->pages * PAGE || !(event->flags & FAULT_MINOR))
		h->wrong++;
	h->pages++;
}

static void hear_until(struct faults *f, struct heard *h, unsigned long pages)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	const time_t end = time(NULL) + PATIENCE;

	while (h->pages < pages && time(NULL) < end) {
		check(faults_events(f, hear, h) >= 0, "faults_events");
		nanosleep(&pause, NULL);
	}
}

/* As many pages as it is told to. */
_Noreturn static void be_child(volatile char *p, int told, int answer)
{
	unsigned long pages;

	while (read(told, &pages, sizeof(pages)) == sizeof(pages)) {
		for (; pages; pages--, p += PAGE)
			*p = 1;
		check(write(answer, "", 1) == 1, "write");
	}
	_exit(0);
}

static void tell(int to, int from, unsigned long pages)
{
	char byte;

	check(write(to, &pages, sizeof(pages)) == sizeof(pages), "write");
	check(read(from, &byte, 1) == 1, "read");
}

/* Of the last one it is not known yet how it went. */
static void drive(struct faults *f, struct heard *h, int to, int from)
{
	tell(to, from, MANY);
	hear_until(f, h, MANY - 1);
	for (unsigned long i = 1; i <= SINGLE && h->pages >= MANY + i - 2; i++) {
		tell(to, from, 1);
		hear_until(f, h, MANY + i - 1);
	}
}

static int judge(const struct heard *h, uint64_t dropped)
{
	printf("%lu of %lu pages, %lu not in their turn, %llu events dropped\n", h->pages, PAGES,
	       h->wrong, (unsigned long long)dropped);
	if (h->pages != PAGES)
		puts("FAIL: not every fault was heard of");
	if (h->wrong)
		puts("FAIL: not in the order in which they happened");
	return h->pages != PAGES || h->wrong > 0 || dropped > 0;
}

int main(int argc, char **argv)
{
	const struct faults_wanted wanted = {
	    .stream_bytes = 1 << 20,
	    .crowded = argc == 2 && strcmp(argv[1], "crowded") == 0,
	};
	char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct heard heard = {.start = (uint64_t)p};
	struct faults_total total;
	int told[2], answer[2], wrong;
	struct unable why;
	struct faults *f;
	pid_t child;

	check(p != MAP_FAILED && madvise(p, BYTES, MADV_NOHUGEPAGE) == 0, "memory");
	check(pipe(told) == 0 && pipe(answer) == 0, "pipe");
	child = fork();
	check(child >= 0, "fork");
	if (child == 0) {
		close(told[1]);
		be_child(p, told[0], answer[1]);
	}
	check_open(faults_open(&f, &wanted, &why), &why);
	if (wanted.crowded)
		check(faults_follow(f, session_pidfd(getpid())) == 0, "faults_follow");
	check(faults_follow(f, session_pidfd(child)) == 0, "faults_follow");
	drive(f, &heard, told[1], answer[0]);
	close(told[1]);
	check(waitpid(child, NULL, 0) == child, "wait");
	hear_until(f, &heard, PAGES);
	check(faults_read(f, &total, NULL, NULL) == 0, "faults_read");
	wrong = judge(&heard, total.events_dropped);
	faults_close(f);
	return wrong;
}
