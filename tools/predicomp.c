/* predicomp - the command beside the library: one verb a file, this is their table. */
#include "tool.h"

#include <string.h>

#include "predicomp/predicomp.h"

struct verb {
	const char *name, *arguments, *summary;
	int (*run)(int argc, char **argv);
};

static const struct verb verbs[] = {
#define PC_VERB(name, arguments, summary) {#name, arguments, summary, cmd_##name},
#include "verbs.def"
#undef PC_VERB
};

static const struct {
	int number;
	const char *text;
} statuses[] = {
#define PC_STATUS(id, number, text) {number, text},
#include "statuses.def"
#undef PC_STATUS
};

static void help(FILE *out)
{
	fputs("usage: predicomp VERB [ARGUMENT...]\n\n", out);
	for (size_t i = 0; i < PC_ARRAY_LEN(verbs); i++)
		fprintf(out, "  %-11s%s\n", verbs[i].name, verbs[i].summary);
	fputs("\nEach verb explains itself: predicomp VERB --help. See also predicomp(1).\n"
	      "\nExit status:\n",
	      out);
	for (size_t i = 0; i < PC_ARRAY_LEN(statuses); i++)
		fprintf(out, "  %-11d%s\n", statuses[i].number, statuses[i].text);
}

static void version(void)
{
	printf("predicomp %d.%d.%d\n", PREDICOMP_VERSION_MAJOR, PREDICOMP_VERSION_MINOR,
	       PREDICOMP_VERSION_PATCH);
}

static const struct verb *find(const char *name)
{
	for (size_t i = 0; i < PC_ARRAY_LEN(verbs); i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/* Output that could not be written is an answer not given. */
static int finish(int status)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return complain(STATUS_NO, "the output could not be written");
	return status;
}

static int dispatch(int argc, char **argv)
{
	const struct verb *verb = find(argv[1]);
	char *name = argv[0];

	if (strcmp(argv[1], VERB_PROBE) == 0)
		return cmd_probe(argc - 1, argv + 1);
	if (!verb)
		return complain(STATUS_USAGE, "%s is not a verb; see predicomp --help", argv[1]);
	argv[1] = name;
	return verb->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		help(stderr);
		return STATUS_USAGE;
	}
	if (is_one_of(argv[1], "--help", "-h") || strcmp(argv[1], "help") == 0) {
		help(stdout);
		return finish(STATUS_OK);
	}
	if (is_one_of(argv[1], "--version", "-V")) {
		version();
		return finish(STATUS_OK);
	}
	return finish(dispatch(argc, argv));
}
