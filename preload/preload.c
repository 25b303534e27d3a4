/*
 * preload.c - the library's first and last act in a process.
 *
 * The constructor runs before any other code of the process but the loader's (-z initfirst): what
 * it uses of libc is dlsym(), dl_iterate_phdr(), getauxval() and pthread_atfork(), which work by then.
 * It takes the environment from its arguments, for libc has not seen it yet.
 */
#include "eligible.h"
#include "exit_report.h"
#include "fork.h"
#include "real.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/sys.h"
#include "pager.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>

static bool reports; /* the process is not one that must look as if we were not there */

static const char *base_name(const char *path)
{
	const char *base = path;

	for (; *path; path++)
		if (*path == '/')
			base = path + 1;
	return base;
}

/*
 * A program has two names: the file that runs (a multi-call binary, an interpreter's real name) and
 * the one it was called by, which is what a person typed. A login shell's begins with a dash. `buf`
 * takes PATH_MAX bytes.
 */
static struct program program_names(const char *argv0, char *buf)
{
	long n = SYS3(__NR_readlink, "/proc/self/exe", buf, PATH_MAX - 1);
	struct program p = {.file = "", .called = argv0 ? base_name(argv0) : ""};

	if (n >= 0) {
		buf[n] = '\0';
		p.file = base_name(buf);
	}
	if (*p.called == '-')
		p.called++;
	if (!*p.called)
		p.called = p.file;
	return p;
}

static bool read_options(char *const *envp)
{
	struct option_error error;

	options_defaults(&options);
	if (!options_parse_env(&options, envp, &error)) {
		log_set_level((enum log_level)options.log);
		return true;
	}
	log_say(LOG_ERROR, error.text);
	pager_refuse(PC_INERT_BAD_OPTION);
	return false;
}

static void leave_alone(enum pc_inert reason)
{
	log_say(LOG_INFO, pager_inert_text(reason));
	pager_refuse(reason);
}

/* Of what hooks have in each thread's storage. */
static const void *lowest_local(void)
{
	const char *const error = (const char *)&errno, *const fork = fork_local();

	return PC_MIN(error, fork);
}

static void manage(const char *argv0)
{
	enum pc_inert why_not = eligible_unwatched();
	struct program program = {0};
	char path[PATH_MAX];

	if (why_not != PC_INERT_SECCOMP)
		exit_report_prepare();
	if (!why_not) {
		program = program_names(argv0, path);
		why_not = eligible(program);
	}
	if (!why_not && (fork_register() || pager_start(program.called, lowest_local())))
		why_not = PC_INERT_NO_THREAD;
	if (why_not)
		leave_alone(why_not);
}

static void begin(const char *argv0, char *const *envp)
{
	real_resolve();
	if (eligible_is_secure()) {
		pager_refuse(PC_INERT_SECURE);
		return;
	}
	if (!read_options(envp))
		return;
	reports = options.enable;
	manage(argv0);
}

__attribute__((constructor)) static void at_start(int argc, char **argv, char **envp)
{
	int saved = errno;

	begin(argc > 0 ? argv[0] : NULL, envp);
	errno = saved;
}

__attribute__((destructor)) static void at_exit(void)
{
	if (reports)
		exit_report();
	pager_give_back();
}
