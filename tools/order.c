#include "order.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "json.h"

static const char common[] =
    "  --timeout TIME   give up waiting after TIME (60s); the process goes on all the same\n"
    "  --json           the answer as an object\n"
    "  --quiet          nothing on success\n";

enum style { STYLE_TEXT, STYLE_JSON, STYLE_QUIET };

static const struct option longs[] = {
    {"timeout", required_argument, NULL, 't'},
    {"json", no_argument, NULL, 'j'},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

struct command_line {
	pc_ns timeout;
	enum style style;
};

const char *order_error(int result)
{
	switch (-result) {
	case EPERM:
		return "the pager does not allow that while the process runs";
	case EAGAIN:
		return "the pager cannot do that now";
	case ENOENT:
	case ENOSYS:
	case EOPNOTSUPP:
		return "the pager does not know that";
	}
	return strerror(-result);
}

void order_progress(const char *s)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%s", s);
}

static void say_json(const struct order *order, const struct target *t,
		     const struct mailbox_answer *answer, pc_ns elapsed)
{
	struct json_object *object = json_object_new_object();

	json_number(object, "pid", t->pid);
	json_word(object, "command", order->verb);
	json_object_object_add(object, "ok", json_object_new_boolean(answer->result == 0));
	if (answer->result != 0)
		json_word(object, "error", order_error(answer->result));
	json_number(object, "pages", (int64_t)answer->done);
	json_number(object, "elapsed_ns", (int64_t)elapsed);
	json_say(object, JSON_ALONE);
	json_object_put(object);
}

static void say_text(const struct order *order, const struct target *t,
		     const struct mailbox_answer *answer, pc_ns elapsed)
{
	char program[REPORT_PROGRAM_BYTES];

	report_program(&t->report, program);
	if (!order->done) {
		printf("%s (%d): done in %s\n", program, t->pid, cell_time(elapsed).s);
		return;
	}
	printf("%s (%d): %llu pages (%s) %s in %s\n", program, t->pid,
	       (unsigned long long)answer->done, cell_size((int64_t)(answer->done * PC_PAGE)).s,
	       order->done, cell_time(elapsed).s);
}

static int say(const struct order *order, const struct target *t, enum style style,
	       const struct mailbox_answer *answer, pc_ns elapsed)
{
	if (style == STYLE_JSON)
		say_json(order, t, answer, elapsed);
	if (answer->result != 0)
		return complain(STATUS_NO, "%s: %s", order->verb, order_error(answer->result));
	if (style == STYLE_TEXT)
		say_text(order, t, answer, elapsed);
	return STATUS_OK;
}

static int give(const struct order *order, const struct command_line *line, pid_t pid)
{
	struct mailbox_request request = {
	    .command = order->command,
	    .timeout = line->timeout,
	    .progress = order->progress,
	};
	struct mailbox_answer answer = {0};
	pc_ns start = now_monotonic();
	struct refusal why;
	struct target t;
	int err = attach_named(&t, pid, ATTACH_COMMAND, &why);

	if (err != STATUS_OK)
		return complain(err, "%s", why.text);
	err = mailbox_ask(&t, &request, &answer, &why);
	order_progress("");
	if (err == STATUS_OK)
		err = say(order, &t, line->style, &answer, now_monotonic() - start);
	else
		complain(err, "%s", why.text);
	detach(&t);
	return err;
}

int order_main(const struct order *order, int argc, char **argv)
{
	struct command_line line = {.timeout = ORDER_TIMEOUT};
	int err = STATUS_OK;
	pid_t pid;
	int which;

	optind = 0;
	while (err == STATUS_OK && (which = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (which) {
		case 't':
			err = parse_period(optarg, &line.timeout);
			break;
		case 'j':
			line.style = STYLE_JSON;
			break;
		case 'q':
			line.style = STYLE_QUIET;
			break;
		case 'h':
			show_help(order->verb, common);
			fputs(order->details, stdout);
			return STATUS_OK;
		case '?':
			return bad_usage(order->verb);
		}
	}
	if (err == STATUS_OK)
		err = one_pid(argc, argv, &pid);
	return err == STATUS_OK ? give(order, &line, pid) : err;
}
