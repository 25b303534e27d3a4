/* run - start a program with its memory managed. Options are those of options.def. */
#include "launch.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/options.h"
#include "report/knob.h"

enum { OPTION_HELP = PC_OPT_COUNT };

struct long_option {
	char name[32];
};

static void dashed(const char *id, struct long_option *out)
{
	size_t i = 0;

	for (; id[i] != '\0' && i + 1 < sizeof(out->name); i++)
		out->name[i] = id[i] == '_' ? '-' : id[i];
	out->name[i] = '\0';
}

static void help(void)
{
	struct long_option name;

	show_help("run",
		  "The program takes the place of this command; what it does, and its exit\n"
		  "status, are its own. Options become PREDICOMP_<NAME> in its environment:\n\n");
	for (size_t i = 0; i < PC_OPT_COUNT; i++) {
		const struct knob *k = &knobs[i];

		dashed(k->id, &name);
		printf("  --%s=%s\n      %s\n      %s; default %s\n", name.name, knob_value(k),
		       k->help, k->accepts, *k->fallback ? k->fallback : "none");
	}
}

/* A relative path means the folder we are in, not those that the program's children start in. */
static int set_path(const char *variable, const char *path)
{
	char here[PATH_MAX];
	char *whole;
	int err;

	if (*path == '/' || *path == '\0' || strcmp(path, "stderr") == 0)
		return setenv(variable, path, 1);
	if (!getcwd(here, sizeof(here)) || asprintf(&whole, "%s/%s", here, path) < 0)
		return -1;
	err = setenv(variable, whole, 1);
	free(whole);
	return err;
}

static int set_option(const struct knob *k, const char *value)
{
	struct pc_options parsed = {0};
	struct option_error error;
	char variable[64];
	int err;

	if (options_parse_one(&parsed, k->name, value, &error) != 0)
		return complain(STATUS_USAGE, "%s", error.text);
	snprintf(variable, sizeof(variable), "PREDICOMP_%s", k->name);
	err = k->type == KNOB_PATH ? set_path(variable, value) : setenv(variable, value, 1);
	if (err)
		return complain(STATUS_NO, "%s: %s", variable, strerror(errno));
	return STATUS_OK;
}

/* STATUS_OK with optind at the program, or what to exit with; *helped when help was all. */
static int parse(int argc, char **argv, bool *helped)
{
	struct long_option names[PC_OPT_COUNT];
	struct option longs[PC_OPT_COUNT + 2] = {
	    [PC_OPT_COUNT] = {"help", no_argument, NULL, OPTION_HELP},
	};
	int which;

	for (int i = 0; i < PC_OPT_COUNT; i++) {
		dashed(knobs[i].id, &names[i]);
		longs[i] = (struct option){names[i].name, required_argument, NULL, i};
	}
	optind = 0; /* glibc: start over */
	while ((which = getopt_long(argc, argv, "+", longs, NULL)) != -1) {
		int err = STATUS_OK;

		*helped = which == OPTION_HELP;
		if (*helped)
			return STATUS_OK;
		err = which == '?' ? bad_usage("run") : set_option(&knobs[which], optarg);
		if (err != STATUS_OK)
			return err;
	}
	return STATUS_OK;
}

int cmd_run(int argc, char **argv)
{
	char library[PATH_MAX];
	bool helped = false;
	int err = parse(argc, argv, &helped);

	if (err != STATUS_OK)
		return err;
	if (helped) {
		help();
		return STATUS_OK;
	}
	if (optind == argc)
		return complain(STATUS_USAGE, "which program is to be run?");
	err = launch_find(library);
	if (err == STATUS_OK)
		err = launch_preload(library);
	if (err != STATUS_OK)
		return STATUS_CANNOT_RUN;
	execvp(argv[optind], &argv[optind]);
	return complain(errno == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN, "%s: %s",
			argv[optind], strerror(errno));
}
