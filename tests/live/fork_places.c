/*
 * Forks from places where a program seldom forks, and by functions of libc that fork for it: before
 * main() and after it, while an object is loaded and unloaded, by daemon(3) and forkpty(3). Each child
 * reads packed memory, byte for byte, and ends with the status that it chose.
 */
#include "host.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pty.h>
#include <termios.h>

#define LEN (4 * MIB)

static char *memory;

static void lives(void)
{
	HOST_CHECK(host_same(memory, LEN, 1));
	host_fill(memory, LEN, 2);
	HOST_CHECK(host_same(memory, LEN, 2));
}

static void fork_here(int status)
{
	pid_t pid;

	host_turn_cold(memory, LEN, 1);
	pid = fork();
	if (!pid) {
		lives();
		_exit(status);
	}
	HOST_CHECK(host_reap(pid) == status);
	HOST_CHECK(host_same(memory, LEN, 1));
}

/* ---- before main() and after it --------------------------------------------------------------- */

__attribute__((constructor)) static void before_main(void)
{
	memory = host_map(LEN);
	fork_here(31);
}

/* After what atexit() has registered; the library's own end is later still. */
__attribute__((destructor)) static void after_main(void)
{
	if (memory)
		fork_here(33);
}

static void at_exit(void)
{
	if (memory)
		fork_here(32);
}

/* The handlers run in a child that ends by exit(), too; it has nothing to fork for. */
static void ends_by_exit(void)
{
	pid_t pid = fork();

	if (!pid) {
		lives();
		memory = NULL;
		exit(34);
	}
	HOST_CHECK(host_reap(pid) == 34);
}

/* ---- the loader -------------------------------------------------------------------------------- */

/* It lies beside this program. */
static void while_loading(void)
{
	char path[PATH_MAX + 16];
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
	void *object;
	int *forks;

	HOST_CHECK(n > 0);
	path[n] = '\0';
	memcpy(strrchr(path, '/') + 1, "forking.so", sizeof("forking.so"));
	object = dlopen(path, RTLD_NOW);
	if (!object)
		HOST_FAIL("%s", dlerror());
	forks = dlsym(object, "object_forks");
	HOST_CHECK(forks && *forks == 1);
	HOST_CHECK(dlclose(object) == 0);
}

/* ---- libc ---------------------------------------------------------------------------------------- */

/* Its parent ends at once; what it sees it says through a pipe. */
static void by_daemon(void)
{
	char word[8] = "";
	int end[2];
	pid_t pid;

	host_turn_cold(memory, LEN, 1);
	HOST_CHECK(pipe(end) == 0);
	pid = fork();
	if (!pid) {
		host_turn_cold(memory, LEN, 1);
		HOST_CHECK(daemon(1, 1) == 0);
		lives();
		host_turn_cold(memory, LEN, 2);
		HOST_CHECK(host_same(memory, LEN, 2));
		HOST_CHECK(write(end[1], "right", 5) == 5);
		_exit(0);
	}
	close(end[1]);
	HOST_CHECK(host_reap(pid) == 0);
	HOST_CHECK(read(end[0], word, sizeof(word) - 1) == 5 && !strcmp(word, "right"));
	close(end[0]);
	HOST_CHECK(host_same(memory, LEN, 1));
}

/* Until the child has closed its end, which reads as EIO. */
static void hear(int terminal, char *heard, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && (n = read(terminal, heard + len, size - 1 - len)) > 0)
		len += (size_t)n;
	heard[len] = '\0';
}

/* The name of the terminal, its settings and size lie in packed memory, to be read and written there. */
static void by_forkpty(void)
{
	char *name, heard[128];
	struct winsize *size;
	int terminal;
	pid_t pid;

	host_turn_cold(memory, LEN, 1);
	name = host_cold(MIB, 7);
	size = (struct winsize *)(name + MIB / 2);
	*size = (struct winsize){.ws_row = 25, .ws_col = 77};
	host_let_leave(name, MIB);
	pid = forkpty(&terminal, name, NULL, size);
	if (pid < 0) {
		fprintf(stderr, "figure: no terminal to be had: %s\n", strerror(errno));
		return;
	}
	if (!pid) {
		struct winsize got;

		HOST_CHECK(isatty(0) && ioctl(0, TIOCGWINSZ, &got) == 0 && got.ws_col == 77);
		lives();
		printf("the child is right");
		fflush(stdout);
		_exit(35);
	}
	hear(terminal, heard, sizeof(heard));
	HOST_CHECK(host_reap(pid) == 35);
	if (!strstr(heard, "the child is right"))
		HOST_FAIL("the child of forkpty says: %s", heard);
	HOST_CHECK(!strncmp(name, "/dev/", 5));
	HOST_CHECK(host_same(memory, LEN, 1));
	close(terminal);
	munmap(name, MIB);
}

int main(void)
{
	HOST_CHECK(atexit(at_exit) == 0);
	ends_by_exit();
	while_loading();
	by_daemon();
	by_forkpty();
	host_turn_cold(memory, LEN, 1);
	HOST_CHECK(host_same(memory, LEN, 1));
	return 0;
}
