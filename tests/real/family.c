/*
 * family PROGRAM: a process, its child, its grandchild, and a child that executes PROGRAM, which is
 * this again. Each touches memory in an order of its own, the first three at one address, and none
 * is there for long. Says of each: its role, number, first byte, pages touched.
 *
 *     parent       1000 pages in order
 *     child        2000 pages backwards
 *     grandchild   3000 pages at random
 *     executed     1200 pages, each third; 500 before, in memory that its exec takes away
 */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE	 4096ul
#define PAGES	 4096ul
#define TOGETHER 0x10000000000ul
#define ALONE	 0x20000000000ul

static char *map(unsigned long at)
{
	char *p = mmap((void *)at, PAGES * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p != (char *)at || madvise(p, PAGES * PAGE, MADV_NOHUGEPAGE)) {
		perror("family");
		_exit(1);
	}
	return p;
}

static void say(const char *role, const char *p, unsigned long pages)
{
	printf("%s %d 0x%lx %lu\n", role, getpid(), (unsigned long)p, pages);
	fflush(stdout);
}

static void grandchild(char *p)
{
	unsigned long at = 1;

	/* Each of 4096 once, in an order without frequent steps. */
	for (unsigned long i = 0; i < 3000; i++, at = (at * 1229 + 12345) % PAGES)
		p[(at ^ at >> 5) * PAGE] = 1;
	say("grandchild", p, 3000);
}

static void child(char *p)
{
	if (fork() == 0) {
		grandchild(p);
		_exit(0);
	}
	for (unsigned long i = 2000; i-- > 0;)
		p[i * PAGE] = 1;
	say("child", p, 2000);
	wait(NULL);
}

static int executed(void)
{
	char *p = map(ALONE);

	for (unsigned long i = 0; i < 1200; i++)
		p[i * 3 * PAGE] = 1;
	say("executed", p, 1200);
	return 0;
}

int main(int argc, char **argv)
{
	char *p;

	if (argc == 1)
		return executed();
	p = map(TOGETHER);
	if (fork() == 0) {
		child(p);
		_exit(0);
	}
	if (fork() == 0) {
		for (unsigned long i = 0; i < 500; i++)
			p[i * PAGE] = 1;
		execl(argv[1], argv[1], (char *)NULL);
		_exit(1);
	}
	for (unsigned long i = 0; i < 1000; i++)
		p[i * PAGE] = 1;
	say("parent", p, 1000);
	while (wait(NULL) > 0)
		;
	return 0;
}
