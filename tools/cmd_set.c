/* set - options of a running process. */
#include "order.h"

#include <ctype.h>
#include <getopt.h>
#include <string.h>

#include "base/options.h"
#include "predicomp/predicomp.h"
#include "report/knob.h"

static const char details[] =
    "  --timeout TIME   give up waiting after TIME (60s)\n"
    "\n"
    "Options are spelled as for predicomp run, without dashes in front: cold-age=10s. All are\n"
    "checked before the first is sent. Some are fixed when the program starts.\n";

static const struct option longs[] = {
    {"timeout", required_argument, NULL, 't'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

struct assignment {
	enum pc_option_id id;
	uint64_t word;
};

#define LIBRARY_VERSION                                                                            \
	((unsigned)PREDICOMP_VERSION_MAJOR << 16 | (unsigned)PREDICOMP_VERSION_MINOR << 8 |        \
	 (unsigned)PREDICOMP_VERSION_PATCH)

/* "cold-age", "cold_age", "COLD_AGE" -> COLD_AGE; `text` is "name=value". */
static void option_name(const char *text, char *out, size_t size)
{
	size_t i = 0;

	for (; text[i] != '\0' && text[i] != '=' && i + 1 < size; i++)
		out[i] = text[i] == '-' ? '_' : (char)toupper((unsigned char)text[i]);
	out[i] = '\0';
}

static int find(const char *name)
{
	for (int i = 0; i < PC_OPT_COUNT; i++) {
		if (strcmp(knobs[i].name, name) == 0)
			return i;
	}
	return -1;
}

static int parse(const char *text, struct assignment *out)
{
	struct pc_options parsed = {0};
	struct option_error error;
	const char *value = strchr(text, '=');
	char name[64];
	int id;

	if (!value)
		return complain(STATUS_USAGE, "%s is not of the form option=value", text);
	option_name(text, name, sizeof(name));
	if (options_parse_one(&parsed, name, value + 1, &error) != 0)
		return complain(STATUS_USAGE, "%s", error.text);
	id = find(name);
	if (knob_is_text(&knobs[id]))
		return complain(STATUS_USAGE, "%s is fixed when the program starts", name);
	*out = (struct assignment){(enum pc_option_id)id, options_word(&parsed, id)};
	return STATUS_OK;
}

/* Options go by their number, and numbers mean the same in one version only. */
static int check_version(const struct target *t)
{
	unsigned version = t->report.segment->library_version;

	if (version == LIBRARY_VERSION)
		return STATUS_OK;
	return complain(STATUS_VERSION, "process %d runs version %u.%u.%u of the library", t->pid,
			version >> 16, version >> 8 & 0xff, version & 0xff);
}

static int send_one(struct target *t, const struct assignment *a, pc_ns timeout)
{
	struct mailbox_request request = {
	    .command = PC_CMD_SET,
	    .arg = {a->id, a->word},
	    .timeout = timeout,
	};
	struct mailbox_answer answer = {0};
	struct refusal why;
	int err = mailbox_ask(t, &request, &answer, &why);

	if (err != STATUS_OK)
		return complain(err, "%s", why.text);
	if (answer.result != 0)
		return complain(STATUS_NO, "%s: %s", knobs[a->id].name, order_error(answer.result));
	return STATUS_OK;
}

static int send_all(pid_t pid, const struct assignment *list, size_t count, pc_ns timeout)
{
	struct refusal why;
	struct target t;
	int err = attach_named(&t, pid, ATTACH_COMMAND, &why);

	if (err != STATUS_OK)
		return complain(err, "%s", why.text);
	err = check_version(&t);
	for (size_t i = 0; i < count && err == STATUS_OK; i++)
		err = send_one(&t, &list[i], timeout);
	detach(&t);
	return err;
}

static int set(int argc, char **argv, pc_ns timeout)
{
	struct assignment list[PC_OPT_COUNT] = {0};
	size_t count = 0;
	pid_t pid;
	int err;

	if (argc < 2 || argc - 1 > PC_OPT_COUNT)
		return complain(STATUS_USAGE, "a process number and 1 to %d options are needed",
				PC_OPT_COUNT);
	err = parse_pid(argv[0], &pid);
	for (int i = 1; i < argc && err == STATUS_OK; i++)
		err = parse(argv[i], &list[count++]);
	return err == STATUS_OK ? send_all(pid, list, count, timeout) : err;
}

int cmd_set(int argc, char **argv)
{
	pc_ns timeout = ORDER_TIMEOUT;
	int err = STATUS_OK;
	int which;

	optind = 0;
	while (err == STATUS_OK && (which = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (which) {
		case 't':
			err = parse_period(optarg, &timeout);
			break;
		case 'h':
			show_help("set", details);
			return STATUS_OK;
		case '?':
			return bad_usage("set");
		}
	}
	return err == STATUS_OK ? set(argc - optind, argv + optind, timeout) : err;
}
