/*
 * posix_spawn(3), system(3) and popen(3) bring nothing home: a child that shares the memory until it is
 * another program has its pages from the pager of its parent. By several threads at once, and with
 * everything that they are told in memory that had left.
 */
#include "host.h"

#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>

#define LEN	(16 * MIB)
#define TOLD	(64 * 1024ul)
#define THREADS 4

static char *memory;

/* ---- what is told lies in packed memory -------------------------------------------------------- */

struct told {
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char *argv[4], *env[2];
	char path[32], shell[8], option[4], command[64], variable[32];
	char word[PAGE];
};

static struct told *tell(const char *command)
{
	struct told *t = host_map(TOLD);

	strcpy(t->path, "/bin/sh");
	strcpy(t->shell, "sh");
	strcpy(t->option, "-c");
	snprintf(t->command, sizeof(t->command), "%s", command);
	strcpy(t->variable, "TOLD=something");
	memcpy(t->argv, ((char *[]){t->shell, t->option, t->command, NULL}), sizeof(t->argv));
	t->env[0] = t->variable;
	return t;
}

static void turn_cold(struct told *t)
{
	host_let_leave(t, TOLD);
}

/* ---- ways ------------------------------------------------------------------------------------ */

static void by_spawn(void)
{
	struct told *t = tell("echo $TOLD; exit 21");
	sigset_t none;
	int end[2];
	pid_t pid;

	sigemptyset(&none);
	HOST_CHECK(pipe2(end, O_CLOEXEC) == 0);
	HOST_CHECK(posix_spawn_file_actions_init(&t->actions) == 0);
	HOST_CHECK(posix_spawn_file_actions_adddup2(&t->actions, end[1], 1) == 0);
	HOST_CHECK(posix_spawnattr_init(&t->attributes) == 0);
	HOST_CHECK(posix_spawnattr_setsigmask(&t->attributes, &none) == 0);
	HOST_CHECK(posix_spawnattr_setflags(&t->attributes, POSIX_SPAWN_SETSIGMASK) == 0);
	turn_cold(t);
	HOST_CHECK(posix_spawn(&pid, t->path, &t->actions, &t->attributes, t->argv, t->env) == 0);
	close(end[1]);
	HOST_CHECK(read(end[0], t->word, PAGE) == 10 && !strncmp(t->word, "something\n", 10));
	close(end[0]);
	HOST_CHECK(host_reap(pid) == 21);
	posix_spawn_file_actions_destroy(&t->actions);
	munmap(t, TOLD);
}

static void by_system(void)
{
	struct told *t = tell("exit 22");
	int status;

	turn_cold(t);
	status = system(t->command);
	HOST_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 22);
	munmap(t, TOLD);
}

static void by_popen(void)
{
	struct told *t = tell("read word; echo heard $word; exit 23");
	FILE *f;

	turn_cold(t);
	f = popen("read word; exit 23", "w");
	HOST_CHECK(f && fputs("word\n", f) >= 0 && WEXITSTATUS(pclose(f)) == 23);
	f = popen(t->command, "re");
	HOST_CHECK(f && fgets(t->word, PAGE, f) && !strncmp(t->word, "heard", 5));
	HOST_CHECK(WEXITSTATUS(pclose(f)) == 23);
	munmap(t, TOLD);
}

static void *all(void *arg)
{
	by_spawn();
	by_system();
	by_popen();
	return arg;
}

int main(void)
{
	pthread_t t[THREADS];
	size_t before, after;

	memory = host_cold(LEN, 1);
	before = host_absent(memory, LEN);
	all(NULL);
	for (unsigned i = 0; i < THREADS; i++)
		HOST_CHECK(pthread_create(&t[i], NULL, all, NULL) == 0);
	for (unsigned i = 0; i < THREADS; i++)
		HOST_CHECK(pthread_join(t[i], NULL) == 0);
	/* At COLD_AGE=0 some of it may be tried at any time, and be at home in between. */
	after = host_absent(memory, LEN);
	if (after < before / 2)
		HOST_FAIL("%zu pages were away before, %zu are after", before, after);
	HOST_CHECK(host_same(memory, LEN, 1));
	return 0;
}
